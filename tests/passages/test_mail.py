"""Messages, written by the standard library and as Outlook keeps them."""

import contextlib
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import SENTENCE, outlook

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.mail import mail_blocks, written_lines

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
    assert list(written_lines(text)) == ["On the first working day.", "Interest."]


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
        found = mail_blocks(head.encode() + b"\n" + data, lambda html: [Block(html.decode())])
        assert all(isinstance(block, Block) for block in found)
