"""Messages, written by the standard library and as Outlook keeps them."""

import base64
import contextlib
import re
from email.message import EmailMessage
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import SENTENCE, outlook

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.mail import mail_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.quotes import select_lines


def written_lines(text: str) -> list[str]:
    return [line for _, line in select_lines(text.split("\n"))[0]]


BODY = f"""Dear Bob,

{SENTENCE}
"""


def message(body: str, html: str = "", subject: str = "Rent for M\u00e4rz & April") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = "Ann <ann@x.example>", "Bob <bob@x.example>"
    made["Subject"] = subject
    if body:
        made.set_content(body)
    if html and body:
        made.add_alternative(html, subtype="html")
    elif html:
        made.set_content(html, subtype="html", charset="iso-8859-1", cte="quoted-printable")
    return made


def read(made: EmailMessage) -> list[Block]:
    return extract_blocks(bytes(made), ".eml")


@pytest.mark.parametrize("prefix", ["", "Re: ", "AW: Re: ", "Fwd: RE[2]: "])
def test_the_subject_is_a_heading_and_headers_are_not_read(prefix: str) -> None:
    made = message(BODY, "<p>The same as HTML.</p>", f"{prefix}Rent for M\u00e4rz & April")
    made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="lease.pdf")
    made.add_attachment("A text of its own.", filename="a.txt")
    title = Block("Rent for M\u00e4rz & April", 1)
    assert read(made) == [title, Block("Dear Bob,"), Block(SENTENCE)]


def test_html_is_read_where_there_is_no_text() -> None:
    made = message("", f"<h2>News</h2><p>{SENTENCE}</p><p>Caf\u00e9 &amp; bar: 2 &lt; 3.</p>")
    found = read(made)
    assert found[1:] == [Block("News", 2), Block(SENTENCE), Block("Caf\u00e9 & bar: 2 < 3.")]


@pytest.mark.parametrize(
    "rest",
    [
        "-- \nAnn Bell\nBell Properties, 12 High Street\n",
        "> The heating is cold.\n> Since Monday.\n",
        "On Fri, 1 Mar 2024 at 10:00, Bob <bob@x.example> wrote:\n> The heating is cold.\n",
        "On Fri, 1 Mar 2024 at 10:00, Bob Baker of Bakery\n<bob@x.example> wrote:\n\n> Cold.\n",
        "Am 1. M\u00e4rz 2024 schrieb Bob:\n> Die Heizung ist kalt.\n",
        "-----Original Message-----\nFrom: Bob\nThe heating is cold.\n",
        "From: Bob\nSent: Friday\nTo: Ann\nSubject: Cold\n\nThe heating is cold.\n",
        "Sent from my phone\n",
    ],
)
def test_quotes_and_signatures_are_left_out(rest: str) -> None:
    assert read(message(f"{BODY}\n{rest}"))[1:] == [Block("Dear Bob,"), Block(SENTENCE)]
    kept = extract_blocks(outlook("Re: Rent", f"{BODY}\n{rest}"), ".msg")
    assert kept == [Block("Rent", 1), Block("Dear Bob,"), Block(SENTENCE)]


def test_a_sentence_about_writing_is_no_quote() -> None:
    text = "On Monday the tenant wrote: the heating is cold.\n\nIt was repaired on Friday."
    assert "\n".join(written_lines(text)) == text


def test_a_reply_between_quotes_is_kept() -> None:
    text = "> When is the rent due?\nOn the first working day.\n> And if it is late?\nInterest."
    assert written_lines(text) == ["On the first working day.", "Interest."]


def test_an_encoding_that_does_not_exist_is_told_by_the_bytes() -> None:
    head = b"Subject: =?x-none?q?Rent?=\nContent-Type: text/plain; charset=x-none\n\n"
    found = extract_blocks(head + f"Caf\u00e9. {SENTENCE}".encode("cp1252"), ".eml")
    assert found[-1] == Block(f"Caf\u00e9. {SENTENCE}")


def test_a_message_of_attachments_only_holds_no_text() -> None:
    made = message("")
    made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="lease.pdf")
    with pytest.raises(DocumentError, match="holds no text"):
        read(made)


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["", "Content-Type: multipart/mixed; boundary=x"]))
def test_any_bytes_are_a_message_or_an_error(data: bytes, head: str) -> None:
    with contextlib.suppress(DocumentError):
        found = mail_blocks(head.encode() + b"\n" + data, Notes())
        assert all(isinstance(block, Block) for block in found)


ANSWER = "They can begin on 4 June, if the weather is dry, and need three days for it."
QUOTED = "QUOTED-OLD When can they begin, and what does all of it cost us in the end?"


def raw(body: str | bytes, kind: str = "text/plain; charset=utf-8", more: str = "") -> bytes:
    head = (
        f"From: Ann <a@x.example>\nSubject: Roof\n{more}MIME-Version: 1.0\nContent-Type: {kind}\n\n"
    )
    return head.encode() + (body.encode() if isinstance(body, str) else body)


def blocks_of(data: bytes, kind: str = ".eml") -> tuple[list[str], list[str]]:
    notes = Notes()
    blocks = extract_blocks(data, kind, None, notes)
    return [block.text for block in blocks if block.level == 0], [p.title for p in notes.problems]


def shown(data: bytes) -> str:
    return "\n".join(blocks_of(data)[0])


INTRODUCTIONS = [
    "On 7 May 2024 Bo Lind wrote:",
    "On Tue, May 7, 2024 at 10:12 AM Bo Lind <bo@x.example> wrote:",
    "On Tue, May 7, 2024 at 10:12 AM Bo Lind of the House of Lind\n<bo@x.example> wrote:",
    "On 7 May 2024, at 10:12, Bo Lind <bo@x.example> wrote:",
    "Bo Lind <bo@x.example> wrote:",
    "Am 07.05.24 um 10:12 schrieb Bo Lind:",
    "Am Di., 7. Mai 2024 um 10:12 Uhr schrieb Bo Lind <bo@x.example>:",
    "Bo Lind <bo@x.example> schrieb am Di., 7. Mai 2024, 10:12:",
    "Le mar. 7 mai 2024 \u00e0 10:12, Bo Lind <bo@x.example> a \u00e9crit\u00a0:",
    "Le 7 mai 2024 \u00e0 10:12, Bo Lind a \u00e9crit :",
    "Il giorno mar 7 mag 2024 alle ore 10:12 Bo Lind <bo@x.example> ha scritto:",
    "Il 07/05/24 10:12, Bo Lind ha scritto:",
    "El mar, 7 may 2024 a las 10:12, Bo Lind (<bo@x.example>) escribi\u00f3:",
    "07.05.2024, 10:12, \u0411\u043e <bo@x.example>:",
]
HEADERS = [
    "From: Bo Lind\nSent: Tuesday, 7 May 2024 10:12\nTo: Ann\nSubject: Roof",
    "*From:* Bo Lind <bo@x.example>\n*Sent:* Tuesday\n*To:* Ann\n*Subject:* Roof",
    "________________________________\nFrom: Bo\nSent: Tuesday\nTo: Ann\nCc: Eve\nSubject: Roof",
    "-----Original Message-----\nFrom: Bo\nSent: Tuesday\nTo: Ann\nSubject: Roof",
    "-----Urspr\u00fcngliche Nachricht-----\nVon: Bo\nGesendet: Dienstag\nAn: Ann\nBetreff: Dach",
    "Von: Bo\nGesendet: Dienstag, 7. Mai 2024 10:12\nAn: Ann\nBetreff: Dach",
    "De : Bo\nEnvoy\u00e9 : mardi 7 mai 2024 10:12\n\u00c0 : Ann\nObjet : Toit",
    "Da: Bo\nInviato: marted\u00ec 7 maggio 2024\nA: Ann\nOggetto: Tetto",
    "De: Bo\nEnviado el: martes, 7 de mayo\nPara: Ann\nAsunto: Techo",
]


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_an_answer_is_kept_wherever_it_stands(introduction: str) -> None:
    quote = f"{introduction}\n> {QUOTED}\n>\n> Bo\n"
    assert shown(raw(f"{ANSWER}\n\n{quote}")) == ANSWER
    assert shown(raw(f"{quote}\n{ANSWER}\n")) == ANSWER
    between = f"First.\n\n{quote}\n{ANSWER}\n\n> {QUOTED}\n\nLast of all."
    assert shown(raw(between)).split("\n") == ["First.", ANSWER, "Last of all."]


@pytest.mark.parametrize("introduction", INTRODUCTIONS[:-1])
def test_a_quote_without_marks_is_left_out_below_an_answer(introduction: str) -> None:
    texts, problems = blocks_of(raw(f"{ANSWER}\n\n{introduction}\n\n{QUOTED}\n\nBo\n"))
    assert texts == [ANSWER]
    assert "quoted from other mails" in problems[0]


@pytest.mark.parametrize("headers", HEADERS)
def test_what_follows_the_headers_of_another_mail_is_left_out(headers: str) -> None:
    texts, problems = blocks_of(raw(f"{ANSWER}\n\n{headers}\n\n{QUOTED}\n"))
    assert texts == [ANSWER]
    assert "quoted from other mails" in problems[0]
    page = "".join(f"<p>{line}</p>" for line in headers.replace("<", "&lt;").split("\n"))
    assert shown(raw(f"<p>{ANSWER}</p>{page}<p>{QUOTED}</p>", "text/html")) == ANSWER
    page = headers.replace("<", "&lt;").replace("\n", "<br>")
    assert shown(raw(f"<p>{ANSWER}</p><div>{page}</div><p>{QUOTED}</p>", "text/html")) == ANSWER


@pytest.mark.parametrize("subject", ["Fwd: Roof", "WG: Roof", "TR: Roof", "Roof"])
def test_a_mail_that_is_only_passed_on_is_read(subject: str) -> None:
    for mark in ("---------- Forwarded message ---------\n", "Begin forwarded message:\n\n"):
        body = f"{mark}{HEADERS[0]}\n\n{ANSWER}\n"
        data = raw(body).replace(b"Subject: Roof", f"Subject: {subject}".encode(), 1)
        assert shown(data) == ANSWER
        quoted = mark + "\n".join(f"> {line}" for line in f"{HEADERS[0]}\n\n{ANSWER}".split("\n"))
        data = raw(quoted).replace(b"Subject: Roof", f"Subject: {subject}".encode(), 1)
        assert shown(data) == ANSWER
    kept = extract_blocks(outlook(subject, f"FYI\n\n{HEADERS[0]}\n\n{ANSWER}"), ".msg")
    if subject != "Roof":
        assert [block.text for block in kept] == ["Roof", "FYI", ANSWER]


def test_from_that_a_mailbox_escaped_is_a_line_of_the_writer() -> None:
    body = "They told us of it.\n>From the first day on there is a scaffold.\nDo not park.\n"
    assert shown(raw(body)) == body.replace(">From", "From").rstrip()
    assert shown(raw(f"{ANSWER}\n\n> So it is.\n>From now on.\n")) == ANSWER


def test_lines_that_begin_with_signs_are_no_headings() -> None:
    body = "* Bring the keys\n\n# not a heading\n\n- an item\n\n| a | b |\n\nBest regards\n\nAnn"
    data = raw(body)
    assert shown(data).split("\n") == [line for line in body.split("\n") if line]


def test_flowed_lines_are_joined_and_quotes_in_them_left_out() -> None:
    flowed = "text/plain; charset=utf-8; format=flowed"
    body = "They can begin \non 4 June. \n\n> QUOTED it \n> goes on\n From here.\n >no quote\n"
    body += "-- \nAnn\n"
    assert shown(raw(body, flowed)).split("\n") == [
        "They can begin on 4 June.",
        "From here.",
        ">no quote",
    ]
    assert shown(raw("Weg mit \nallem", f"{flowed}; delsp=yes")) == "Weg mitallem"


def test_the_html_is_read_where_the_plain_text_only_points_to_it() -> None:
    made = message(
        "This message needs a program that shows HTML.\n", f"<p>{ANSWER}</p><p>{ANSWER}</p>"
    )
    assert [block.text for block in read(made)][1:] == [ANSWER, ANSWER]
    made = message(f"{ANSWER}\n{ANSWER}\n", f"<h1>{ANSWER}</h1><p>{ANSWER}</p><p>Imprint</p>")
    assert [block.text for block in read(made)][1:] == [f"{ANSWER} {ANSWER}"]


def part(body: str, kind: str = "text/plain; charset=utf-8", more: str = "") -> str:
    return f"--b\nContent-Type: {kind}\n{more}\n{body}\n"


MIXED = "multipart/mixed; boundary=b"


def test_named_and_attached_parts_are_no_text_of_the_mail() -> None:
    log = part(
        "LOGFILE worker started", 'text/plain; name="log.txt"', "Content-Disposition: inline\n"
    )
    attached = part("From: R\nSubject: Offer\n\nATTACHED-MAIL We offer tiles.", "message/rfc822")
    data = raw(f"{log}{part(ANSWER)}{attached}--b--\n", MIXED)
    assert blocks_of(data) == (
        [ANSWER],
        ["Left out 1 attached mail.", "Left out 1 attachment (log.txt)."],
    )
    assert shown(raw(f"{log}--b--\n", MIXED)) == "LOGFILE worker started"
    named = part("x", "text/x-log; name*=utf-8''M%C3%A4rz.log")
    encoded = part("x", 'application/pdf; name="=?utf-8?q?M=C3=A4rz=2Epdf?="')
    _, problems = blocks_of(raw(f"{part(ANSWER)}{named}{encoded}--b--\n", MIXED))
    assert problems == ["Left out 2 attachments (M\u00e4rz.log, M\u00e4rz.pdf)."]
    assert shown(raw(f"{attached}--b--\n", MIXED)) == "ATTACHED-MAIL We offer tiles."


def test_texts_in_two_parts_are_both_read_and_the_same_text_once() -> None:
    second = "The second part of it, about the price of the tiles and of the gutter."
    assert shown(raw(part(ANSWER) + part(second) + "--b--\n", MIXED)).split("\n") == [
        ANSWER,
        second,
    ]
    page = part(f"<p>{second}</p>", "text/html")
    assert shown(raw(part(ANSWER) + page + "--b--\n", MIXED)).split("\n") == [ANSWER, second]
    page = part(f"<p>{ANSWER}</p>", "text/html")
    assert shown(raw(part(ANSWER) + page + "--b--\n", MIXED)) == ANSWER


def test_a_page_with_its_pictures_is_read() -> None:
    related = (
        part("<p>Read <b>on</b>.</p>", "text/html", "Content-ID: <root>\n")
        + part("x", "image/png", "Content-ID: <p1>\n")
        + "--b--\n"
    )
    assert shown(raw(related, 'multipart/related; boundary=b; start="<root>"')) == "Read on."


def test_quotes_and_signatures_that_html_marks_are_left_out() -> None:
    page = (
        f"<div>{ANSWER}</div><div class=gmail_signature>Ann, House of Bell</div>"
        "<div class=gmail_quote><div class=gmail_attr>On 7 May 2024 Bo wrote:<br></div>"
        f"<blockquote class=gmail_quote>{QUOTED}</blockquote></div><p>And below.</p>"
        f"<p>On 7 May 2024 Bo wrote:</p><blockquote>{QUOTED}</blockquote><p>Last.</p>"
        "<blockquote>We shall overcome.</blockquote>"
    )
    texts, problems = blocks_of(raw(page, "text/html"))
    assert texts == [ANSWER, "And below.", "Last.", "We shall overcome."]
    assert [problem.split(" ", 3)[3] for problem in problems] == [
        "words quoted from other mails.",
        "words of signatures.",
    ]


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("iso-8859-1", "cp1252", "He said “the heating is off” – €40, it’s short…"),
        ("gb2312", "gb18030", "租客在每月的第一个工作日支付租金，镕。"),
        ("utf-16", "utf-16", "The café is open."),
        ("us-ascii", "utf-8", "The café is open."),
    ],
)
def test_charsets_of_mails_mean_what_they_mean_on_the_web(
    charset: str, codec: str, text: str
) -> None:
    encoded = base64.encodebytes(text.encode(codec))
    more = "Content-Transfer-Encoding: base64\n"
    assert shown(raw(encoded, f"text/plain; charset={charset}", more)) == text
    assert shown(raw(encoded, f"text/html; charset={charset}", more)) == text


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_a_message_that_was_saved_as_utf_16_is_read(codec: str) -> None:
    data = raw("The café is open.", "text/plain; charset=iso-8859-1").decode().encode(codec)
    assert shown(data) == "The café is open."


def test_a_mailbox_is_many_mails() -> None:
    one, two = raw(f"{ANSWER}\n"), raw(f"{SENTENCE}\n>From here on.\n").replace(b"Roof", b"Rent")
    empty = raw("> QUOTED\n")
    line = b"From a@x.example Tue May  7 10:12:00 2024\n"
    data = b"\n".join(line + mail for mail in (one, two, empty))
    notes = Notes()
    assert mail_blocks(data, notes) == [
        Block("Roof", 1),
        Block(ANSWER),
        Block("Rent", 1),
        Block(f"{SENTENCE} From here on."),
    ]
    assert [problem.title for problem in notes.problems] == [
        "Left out 1 word quoted from other mails.",
        "1 of 3 mails hold no text.",
    ]


def test_an_encrypted_mail_is_an_error() -> None:
    for kind in ("application/pkcs7-mime; name=smime.p7m", "multipart/encrypted; boundary=b"):
        with pytest.raises(DocumentError, match="encrypted"):
            extract_blocks(raw("--b\n\nx\n--b--\n", kind), ".eml")


LINES = st.lists(
    st.sampled_from(["plain", "quote", "from", "blank", "star", "intro", "bar"]), max_size=14
)


@settings(deadline=None, max_examples=100)
@given(LINES, st.sampled_from(["", "quoted-printable", "base64"]), st.booleans())
def test_every_line_of_the_writer_arrives_once_and_in_order(
    kinds: list[str], encoding: str, html: bool
) -> None:
    lines, expected = ["w0x begins here."], ["w0x"]
    for at, kind in enumerate(kinds, start=1):
        word = f"w{at}x"
        lines.append(
            {
                "plain": f"{word} is a line.",
                "quote": f"> q{at}x is a quote.",
                "from": f"\n>From {word} on.\n",
                "blank": "",
                "star": f"* {word}",
                "intro": f"On 7 May 2024 Bo <b@x.example> wrote:\n> q{at}x\n",
                "bar": f"| {word} | cell |",
            }[kind]
        )
        expected += [word] * (kind in ("plain", "from", "star", "bar"))
    made = EmailMessage()
    made["Subject"] = "s"
    made.set_content("\n".join(lines), cte=encoding or None)
    if html:
        shown = "<br>".join(escape(line) for line in "\n".join(lines).splitlines())
        made.add_alternative(f"<p>{shown}</p>", subtype="html")
    assert re.findall(r"w\d+x", "\n".join(block.text for block in read(made))) == expected


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_subject_that_nobody_encoded_is_read(charset: str) -> None:
    data = f"From: a@x.example\nSubject: R\u00fcckgabe der Schl\u00fcssel\n\n{SENTENCE}\n"
    blocks = mail_blocks(data.encode(charset), Notes())
    assert blocks[0] == Block("R\u00fcckgabe der Schl\u00fcssel", 1)
