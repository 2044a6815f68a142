"""Mails whose headers or parts are not as the standard says, and headers told of in a text."""

from bonito_local.passages.blocks import Block
from bonito_local.passages.mail import mail_blocks
from bonito_local.passages.notes import Notes

TEXT = "The pump is to be checked each Monday before the line is started."


def read(data: bytes) -> tuple[list[Block], list[str]]:
    notes = Notes()
    blocks = mail_blocks(data, notes)
    return blocks, [problem.title for problem in notes.problems]


def test_a_subject_with_bytes_in_an_encoded_word_is_decoded() -> None:
    data = "Subject: =?iso-8859-1?Q?Hasen_und_Frösche?=\n\n".encode("latin-1") + TEXT.encode()
    assert read(data) == ([Block("Hasen und Frösche", 1), Block(TEXT)], [])


def test_a_border_that_a_header_folds_parts_a_mail() -> None:
    data = (
        "Subject: Pump\nMIME-Version: 1.0\nContent-Type: multipart/mixed;\n"
        ' boundary="--part\n 1"\n\n----part 1\nContent-Type: text/plain\n\n'
        f"{TEXT}\n\n----part 1\nContent-Type: image/png\n\nxyz\n\n----part 1--\n"
    )
    assert read(data.encode()) == (
        [Block("Pump", 1), Block(TEXT)],
        ["Left out 1 attachment (image/png)."],
    )


def test_a_mail_whose_parts_are_not_found_is_reported() -> None:
    data = (
        'Subject: Pump\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="x"\n\n'
        f"--y\nContent-Type: text/plain\n\n{TEXT}\n\n--y--\n"
    )
    blocks, problems = read(data.encode())
    assert TEXT in "\n".join(block.text for block in blocks)
    assert problems == ["The mail: the parts cannot be told apart, and are read as one text."]


def test_the_header_of_a_mail_that_a_report_tells_of_is_text() -> None:
    told = "  Message-id: <1@x.example>\n  Date: Sun, 23 Sep 2001\n  From: Ann <ann@x.example>\n"
    told += "  To: Bob <bob@x.example>\n  Subject: Pump"
    reason = "Your message cannot be delivered: the recipient's disk is full."
    text = f"This report relates to a message that you sent:\n\n{told}\n\n{reason}\n"
    blocks, problems = read(f"Subject: Failed\n\n{text}".encode())
    assert blocks[-1] == Block(reason)
    assert "From: Ann" in "\n".join(block.text for block in blocks)
    assert problems == []


def test_short_texts_that_differ_in_a_word_are_both_read() -> None:
    parts = "\n".join(
        f"--b\nContent-Type: text/{kind}\n\n{text}\n"
        for kind, text in (("plain", "Here are the plans."), ("html", "<p>Here are the bills.</p>"))
    )
    data = f'Subject: Pump\nContent-Type: multipart/mixed; boundary="b"\n\n{parts}\n--b--\n'
    assert [block.text for block in read(data.encode())[0]] == [
        "Pump",
        "Here are the plans.",
        "Here are the bills.",
    ]
