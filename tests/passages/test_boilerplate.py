"""What of a web page is no text of it: boxes that lead to other pages, dialogs, lists of names."""

from bonito_local.passages.notes import Notes
from bonito_local.passages.webpage import page_blocks

RULES = "Quiet hours are from ten in the evening to six in the morning of each day of the week. "
TEXT = f"<p>{RULES * 4}</p><p>Bicycles are kept in the cellar. {RULES * 4}</p>"
PARAGRAPHS = [(RULES * 4).strip(), f"Bicycles are kept in the cellar. {RULES * 4}".strip()]


def texts(page: str) -> list[str]:
    return [block.text for block in page_blocks(page, Notes())]


def teasers(count: int, summary: str, href: str = "/other") -> str:
    cards = (
        f"<li><h3><a href='{href}{at}'>Another story {at}</a></h3><p>{summary}</p></li>"
        for at in range(count)
    )
    return f"<ul>{''.join(cards)}</ul>"


def test_boxes_of_headings_that_lead_to_other_pages_are_left_out() -> None:
    page = f"<h1>Rules</h1>{TEXT}{teasers(3, 'What was decided in May.')}"
    assert texts(page) == ["Rules", *PARAGRAPHS]


def test_headings_that_lead_to_themselves_are_kept() -> None:
    page = f"<h1>Rules</h1>{TEXT}{teasers(3, 'What was decided in May.', '#part')}"
    assert "Another story 2" in "\n".join(texts(page))


def test_a_page_that_lists_stories_keeps_them() -> None:
    page = f"<h1>News</h1><p>All stories.</p>{teasers(9, RULES)}"
    assert "\n".join(texts(page)).count("Quiet hours") == 9


def test_long_texts_below_linked_headings_are_kept() -> None:
    page = f"<h1>Rules</h1>{TEXT * 3}{teasers(3, RULES * 3)}"
    assert "\n".join(texts(page)).count("Another story") == 3


def test_asides_in_the_main_element_beside_its_article_are_left_out() -> None:
    aside = f"<aside><h2>Live</h2>{'<p>Something else was said at noon.</p>' * 40}</aside>"
    page = f"<main><article><h1>Rules</h1>{TEXT}</article>{aside}</main>"
    assert texts(page) == ["Rules", *PARAGRAPHS]


def test_text_in_the_main_element_beside_its_article_is_kept() -> None:
    page = f"<main><article><h1>Rules</h1>{TEXT}</article><section>{TEXT}</section></main>"
    assert texts(page) == ["Rules", *PARAGRAPHS, *PARAGRAPHS]


def test_names_of_readers_below_a_text_are_left_out() -> None:
    names = ", ".join(f"<a href='/users/{at}'>reader{at}</a>" for at in range(40))
    page = f"<main><h1>Rules</h1>{TEXT}<p>{names}</p></main>"
    assert texts(page) == ["Rules", *PARAGRAPHS]


def test_dialogs_and_players_are_left_out() -> None:
    dialog = "<div role=dialog><p>To write here, ask to become an author.</p></div>"
    player = "<div class=vjs-control-bar>Playback Rate Subtitles Captions</div>"
    assert texts(f"<h1>Rules</h1>{TEXT}{player}{dialog}") == ["Rules", *PARAGRAPHS]
    whole = f"<div role=dialog><h1>Rules</h1>{TEXT}</div>"
    assert texts(whole) == ["Rules", *PARAGRAPHS]


def test_headings_that_link_to_the_table_of_contents_are_kept() -> None:
    page = (
        f"<h1>Rules</h1>{TEXT}<h2><a class=toc-backref href=#id7>Setting up</a>"
        f"<a class=headerlink href=#setting-up>¶</a></h2>{TEXT}"
    )
    assert texts(page) == ["Rules", *PARAGRAPHS, "Setting up", *PARAGRAPHS]


def test_a_link_alone_in_its_line_of_the_text_is_kept() -> None:
    page = (
        f"<article><h1>Rules</h1>{TEXT}<p><a class=js_link href=/a>Drawn by Ann</a></p></article>"
    )
    assert texts(page) == ["Rules", *PARAGRAPHS, "Drawn by Ann"]


def test_words_that_are_not_printed_belong_to_their_sentence() -> None:
    page = f"<p>Founded in 1998 <span class=noprint>(18 years ago)</span> by Ann.</p>{TEXT}"
    assert texts(page)[0] == "Founded in 1998 (18 years ago) by Ann."
