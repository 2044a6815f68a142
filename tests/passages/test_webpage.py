"""Web pages with known text: every word once, in order, and what is left out is said."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.passages.blocks import Block
from bonito_local.passages.notes import Notes
from bonito_local.passages.webpage import page_blocks

RULES = "Quiet hours are from ten in the evening to six in the morning of each day."
YARD = "Bicycles are kept in the cellar, and prams may stand in the hall on the ground floor."


def read(page: str, hidden: bool = False) -> tuple[list[Block], list[str]]:
    notes = Notes(hidden)
    blocks = page_blocks(page, notes)
    return blocks, [problem.title for problem in notes.problems]


def texts(page: str, hidden: bool = False) -> list[str]:
    return [block.text for block in read(page, hidden)[0]]


def test_meta_lines_and_rules_are_no_text_and_end_no_page() -> None:
    page = (
        "<html><head><meta name=description content='House rules'><title>Rules</title></head>"
        f"<body><h1>Rules</h1><p>{RULES}</p><hr><p>{YARD}</p><hr/><p>In force from 1 June.</p>"
    )
    assert read(page) == (
        [Block("Rules", 1), Block(RULES), Block(YARD), Block("In force from 1 June.")],
        [],
    )


def test_a_page_in_one_form_is_read() -> None:
    page = f"<form id=aspnetForm><h1>Rules</h1><p>{RULES}<input value=x><select><option>a</select>"
    assert read(page)[0] == [Block("Rules", 1), Block(RULES)]


def test_front_matter_is_not_searched_in_a_page() -> None:
    assert texts(f"<p>---</p><p>{RULES}</p><p>---</p><p>{YARD}</p>") == ["---", RULES, "---", YARD]
    assert texts("<p># no heading</p><p>* no item, {% raw %} 5 * 3 _x_</p>") == [
        "# no heading",
        "* no item, {% raw %} 5 * 3 _x_",
    ]


def test_marks_of_an_editor_leave_no_signs() -> None:
    page = "<p>It costs <del>fifty</del> <ins>forty</ins> <mark>euros</mark> <s>a day</s> now.</p>"
    assert read(page) == (
        [Block("It costs forty euros now.")],
        ["Left out 3 words of struck-out text."],
    )
    assert texts(page, hidden=True) == ["It costs fifty forty euros a day now."]


@pytest.mark.parametrize(
    "hiding",
    [
        "<p hidden>",
        "<div style='color: red; DISPLAY : none'>",
        "<p style='visibility:hidden'>",
        "<div style='mso-hide:all'>",
        "<dialog>",
    ],
)
def test_hidden_text_is_left_out_and_counted(hiding: str) -> None:
    page = f"<p>{RULES}</p>{hiding}Not for all eyes.</p></div></dialog><p>{YARD}</p>"
    assert read(page) == (
        [Block(RULES), Block(YARD)],
        ["Left out 4 words of hidden text."],
    )
    assert texts(page, hidden=True) == [RULES, "Not for all eyes.", YARD]


def test_comments_are_left_out_and_counted() -> None:
    page = f"<!-- ask Ann --><p>{RULES}</p><!--[if IE]><p>old</p><![endif]--><!-- <br> -->"
    assert read(page) == ([Block(RULES)], ["Left out 1 comment."])
    assert texts(page, hidden=True) == ["ask Ann", RULES]


def test_a_nested_table_is_read_once_and_in_its_place() -> None:
    page = (
        f"<table><tr><td><p>{RULES}</p><table><tr><th>Day<th>Fee<tr><td>Monday<td>20 euros"
        f"<tr><td>Friday<td>30 euros</table></td><td>{YARD}</td></tr></table>"
    )
    assert read(page) == (
        [
            Block(RULES),
            Block("Day: Monday; Fee: 20 euros\nDay: Friday; Fee: 30 euros"),
            Block(YARD),
        ],
        [],
    )


def test_cells_that_span_others_are_written_once() -> None:
    page = (
        "<table><thead><tr><th rowspan=2>Room<th colspan=2>Rent<tr><th>cold<th>warm</thead>"
        "<tr><td rowspan=2>Kitchen<td>100<td>120<tr><td>110<td>130<tr><td colspan=3>Upstairs"
        "<tr><td>Attic<td>80<td>90</table>"
    )
    assert texts(page) == [
        "Room: Kitchen; Rent cold: 100; Rent warm: 120\nRent cold: 110; Rent warm: 130",
        "Upstairs",
        "Room: Attic; Rent cold: 80; Rent warm: 90",
    ]


def test_a_table_of_one_row_and_one_of_names_and_values_are_read() -> None:
    assert texts("<table><tr><td>Important<td>Keys at noon<td>Mr Olsen</table>") == [
        "Important; Keys at noon; Mr Olsen"
    ]
    assert texts("<table><tr><td>Name:<td>Bo<tr><td>Age<td>5</table>") == ["Name: Bo\nAge: 5"]


def test_lists_keep_their_numbers_and_terms_their_meanings() -> None:
    page = (
        "<ol type=a start=2><li>one<li>two<ul><li>in</ul>rest</ol>"
        "<dl><dt>Rent<dd>What is paid.<dt>Yard.<dd>Where one parks.</dl>"
        "<ul><li><h3>News</h3><p>It rains.</p><li><h3>More</h3><p>It pours.</p></ul>"
    )
    assert read(page)[0] == [
        Block("b. one\nc. two\n- in\nrest"),
        Block("Rent: What is paid.\nYard. Where one parks."),
        Block("News", 3),
        Block("It rains."),
        Block("More", 3),
        Block("It pours."),
    ]


def test_note_marks_go_and_powers_stay() -> None:
    page = (
        "<p>One<sup><a href='#n1'>1</a></sup> has 10<sup>6</sup> m<sup>2</sup>"
        "<a href='#cite'><sup>[2]</sup></a>, <a href='#s2'>2</a> rooms, <q>new</q>.</p>"
        "<p><a href='#r1' role=doc-backlink>1</a> The note.</p>"
    )
    assert read(page) == (
        [Block("One has 10\u2076 m2, 2 rooms, \u201cnew\u201d."), Block("The note.")],
        [],
    )


def test_pictures_in_the_page_are_no_text() -> None:
    uri = "data:image/png;base64," + "iVBORw0KGgo" * 50
    page = f"<p>Before <img src='{uri}' alt='a cat'> after.</p><div style='background:url({uri})'>"
    assert texts(page) == ["Before after."]


def test_lines_of_a_page_are_kept_where_it_breaks_them() -> None:
    assert texts("<p>a<br>b<br><br>c</p><pre>x\n  y\n\nz</pre>d\ne") == [
        "a\nb",
        "c",
        "x\ny",
        "z",
        "d e",
    ]


def test_menus_and_banners_are_left_out_and_counted() -> None:
    page = (
        "<header><ul class=menu><li><a href=/>Home</a><li><a href=/a>About</a></ul></header>"
        "<div id=cookie-banner>We use cookies. <button>Accept</button></div>"
        f"<nav><a href=/>Up</a></nav><h1>Rules</h1><p>{RULES}</p><p>{YARD}</p>"
        "<div><a href=/1>One</a> <a href=/2>Two</a> <a href=/3>Three</a></div>"
        "<footer>Imprint, 2024</footer>"
    )
    assert read(page) == (
        [Block("Rules", 1), Block(RULES), Block(YARD)],
        ["Left out 11 words of menus, banners and footers."],
    )


def test_a_page_whose_text_is_in_elements_named_like_menus_is_read() -> None:
    page = f"<div class=sidebar><p>{RULES}</p></div><footer><p>{YARD} {RULES}</p></footer>"
    assert texts(page) == [RULES, f"{YARD} {RULES}"]


def test_a_page_of_links_alone_is_read() -> None:
    page = "<nav><a href=/1>The first annual report</a> <a href=/2>The second one</a></nav>"
    assert texts(page) == ["The first annual report The second one"]


def test_xml_closes_what_html_leaves_open() -> None:
    page = (
        "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head><title/>"
        "<script src='a.js'/></head><body><p/><a id='x'/>"
        f"<p>{RULES}</p><![CDATA[1 < 2]]></body></html>"
    )
    assert texts(page) == [RULES, "1 < 2"]


def test_a_page_of_great_depth_is_read() -> None:
    assert texts("<div>" * 3000 + RULES) == [RULES]


def test_a_page_in_a_frame_of_the_page_is_read() -> None:
    assert texts(f"<p>{RULES}</p><iframe srcdoc='&lt;p&gt;Within.&lt;/p&gt;'></iframe>") == [
        RULES,
        "Within.",
    ]


def test_an_article_in_a_table_is_not_the_main_text_of_the_page() -> None:
    page = f"<table><tr><td>Rent</td><td>{RULES}</td></tr>"
    page += f"<tr><td>Rules</td><td><article>{RULES} {RULES} {RULES}</article></td></tr></table>"
    words = " ".join(texts(page))
    assert "Rent" in words
    assert words.count(RULES) == 4


def test_what_is_outside_the_declared_main_text_is_left_out_and_counted() -> None:
    blocks, left_out = read(f"<p>Shop</p><main><p>{RULES}</p></main>")
    assert blocks == [Block(RULES)]
    assert left_out


def test_headings_with_nothing_below_are_paragraphs() -> None:
    assert read(f"<h1>A</h1><h2>B</h2><h2>C</h2><p>{RULES}</p><h2>End</h2>")[0] == [
        Block("A", 1),
        Block("B"),
        Block("C", 2),
        Block(RULES),
        Block("End"),
    ]


WORDS = st.lists(st.integers(0, 9_999), min_size=1, max_size=8)


def wrapped(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    inner = st.lists(children, min_size=1, max_size=4).map("".join)
    cells = st.lists(st.lists(children, min_size=2, max_size=2), min_size=2, max_size=3)
    return st.one_of(
        st.builds(
            "<{0}>{1}</{0}>".format,
            st.sampled_from("div section form p h2 blockquote center font span li em a".split()),
            inner,
        ),
        inner.map("<ul><li>{}</ul>".format),
        inner.map("<div style='margin:0'>{}<br><hr></div>".format),
        inner.map("<table role=presentation><tr><td>{}</table>".format),
        cells.map(
            lambda rows: (
                "<table>"
                + "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
                + "</table>"
            )
        ),
        st.builds("{}<!-- remark --><script>if (a < b) x()</script>{}".format, inner, children),
    )


PAGES = st.recursive(
    WORDS.map(lambda numbers: f" {' '.join(f'w{number}x' for number in numbers)} "),
    wrapped,
    max_leaves=12,
)


# Words outside the main text that a page declares are left out: it holds all, or is not there.
MAINS = st.sampled_from(("{}", "<main>{}</main>", "<article>{}</article>"))


@settings(deadline=None, max_examples=150)
@given(PAGES, MAINS)
def test_every_word_of_a_page_arrives_once_and_in_order(page: str, main: str) -> None:
    page = main.format(page)
    shown = re.findall(r"w\d+x", "\n".join(texts(page)))
    assert shown == re.findall(r"w\d+x", page)


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet=st.sampled_from("ab <>/\"'=!-&;tdrulipe\n"), max_size=80))
def test_any_text_is_a_page(page: str) -> None:
    for block in read(page)[0]:
        assert block.text == block.text.strip() != ""


LONG = " ".join([RULES] * 10)


def test_words_of_a_sentence_are_no_menu_whatever_their_class_is() -> None:
    page = (
        "<p>I am a <a class=popup href=a>rather elderly</a> man. <span><a class='js_link' href=b>"
        f"The second half</a></span> is <a class=share-link href=c>here</a>. {RULES}</p>"
        f"<p><span class=editsection><a href=e>edit</a></span> {YARD}</p>"
    )
    expected = f"I am a rather elderly man. The second half is here. {RULES}"
    assert texts(page) == [expected, YARD]


def test_links_that_a_text_announces_are_its_own() -> None:
    links = "".join(f"<li><a href={n}>The bins of yard {n} stay</a></li>" for n in range(4))
    page = f"<div><p>{LONG}</p><p>The board also decided:</p><ul>{links}</ul><ul>{links}</ul></div>"
    read_texts = "\n".join(texts(page))
    assert read_texts.count("The bins of yard 2 stay") == 1


def test_comments_of_readers_are_left_out_and_counted() -> None:
    comments = f"<div id=comments><h2>2 comments</h2><div>{YARD}</div><div>{LONG}</div></div>"
    blocks, problems = read(f"<body><div><p>{LONG}</p></div>{comments}</body>")
    assert [block.text for block in blocks] == [LONG]
    assert problems == ["Left out 179 words of readers' comments."]
    assert LONG in texts(f"<body><p>{YARD}</p>{comments}</body>")  # a page of comments


def test_the_article_with_the_only_title_is_the_page() -> None:
    stories = "".join(f"<div><h2>Story {n}</h2><div>{LONG}</div></div>" for n in range(3))
    page = f"<body><article><h1>Rules</h1><p>{LONG}</p><p>{YARD}</p></article>{stories}</body>"
    assert texts(page) == ["Rules", LONG, YARD]
    two = f"<article><p>{LONG}</p></article>"
    assert texts(f"<body><article><h1>Rules</h1><p>{LONG}</p></article>{two}</body>") == [
        "Rules",
        LONG,
        LONG,
    ]


def test_boxes_that_lead_to_other_stories_are_left_out() -> None:
    box = "<div><h3>Most popular</h3><p><a href=a>Ten cheap flats</a> A summary of it.</p></div>"
    page = f"<div><p>{LONG}</p>{box}<p>{YARD}</p><div><h2>Related work</h2><p>{RULES}</p></div>"
    assert texts(page) == [LONG, YARD, "Related work", RULES]
