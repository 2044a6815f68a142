"""Raw text of mails, read by Python's email package and not by the package's readers.

Called by ingest_fidelity_web.py. Text is each text part that is no attachment, plain or HTML, one
of alternatives; a mail that holds both has two raw texts. Cut out of it are lines marked as quotes
with the line that introduces them, signatures after "-- ", what a phone or a provider adds
("Sent from my ..."), and mails that follow below their headers, in whatever order these stand.
Bytes that are UTF-8 are read as UTF-8, whatever the mail declares (some declare ASCII or another
charset by mistake), bytes that their charset does not have as Windows-1252.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from email.message import Message

HEAD = re.compile(
    r"-{2,} ?(?:Original|Forwarded|Mensaje|Ursprüngliche)|(?:From|Von|De|Da): .*@"
    r"|(?:-{2,} )?On .{10,}wrote:$|(?:Em|Le|Am) .{10,}(?:escreveu|écrit|schrieb).{0,40}:$"
)
FIELD = re.compile(
    r"(?:From|Date|Sent|To|Cc|Subject|Reply-To|Message-ID|Received|X-[\w-]+): ", re.IGNORECASE
)
LIST_RULE = re.compile(r"_{20,}$")
INTRODUCTION = re.compile(r".{2,80}\b(?:wrote|schrieb|a écrit|escribió):$")
MOST_BROKEN = 2  # bytes in a text of UTF-8
SENT_FROM = re.compile(r"Sent (?:from|via) |Envoyé (?:de|depuis|par) |Von meinem .* gesendet")


def mail_texts(data: bytes, page_text: Callable[[str], str]) -> Iterator[str]:
    """Yield the text of a mail's body, plain and from HTML, without quotes and signature."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    for kind in ("text/plain", "text/html"):
        text = "\n".join(_parts(message, kind, page_text))
        if text.strip():
            yield own_lines(text)


def subject(data: bytes) -> str:
    """Return a mail's subject, decoded."""
    return str(email.message_from_bytes(data, policy=email.policy.default).get("subject", ""))


def _parts(part: Message, kind: str, page_text: Callable[[str], str]) -> Iterator[str]:
    """Yield texts of a part: of alternatives those of a kind, if there is one of it."""
    content = part.get_content_type()
    if content.startswith("message/") or part.get_content_disposition() == "attachment":
        return
    if part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if content == "multipart/alternative":
            liked = [child for child in children if _holds(child, kind)]
            children = liked[:1] or children[:1]
        elif content == "multipart/related":
            children = children[:1]
        for child in children:
            yield from _parts(child, kind, page_text)
    elif content in ("text/plain", "text/html") and not part.get_filename():
        text = _decoded(part)
        yield page_text(text) if content == "text/html" and text.strip() else text


def _holds(part: Message, kind: str) -> bool:
    return any(inner.get_content_type() == kind for inner in part.walk())


def _decoded(part: Message) -> str:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    text = data.decode("utf-8", "replace")
    if not data.isascii() and text.count("\ufffd") <= MOST_BROKEN:
        return text
    charset = part.get_content_charset() or "cp1252"
    try:
        return data.decode("cp1252" if charset in ("iso-8859-1", "us-ascii") else charset)
    except (LookupError, ValueError):  # a charset unknown to Python, bytes of another
        return data.decode("cp1252", "replace")


def own_lines(text: str) -> str:
    """Cut quotes and a signature out of a mail's text."""
    kept: list[str] = []
    lines = text.splitlines()
    for at, line in enumerate(lines):
        wrapped = " ".join(held.strip() for held in lines[at : at + 2])
        # Indented fields are told of in the text, as a report of failed delivery does.
        starts_mail = not line.startswith("  ") and (HEAD.match(line) or HEAD.match(wrapped))
        if starts_mail and FIELD.match(line):
            while kept and FIELD.match(kept[-1]):  # fields of the other mail before its "From:"
                kept.pop()
        if (starts_mail and "".join(kept).strip()) or line.strip() in ("--", "-- "):
            break
        if LIST_RULE.match(line) and "mailing list" in wrapped:
            break
        is_introduction = INTRODUCTION.match(line.strip()) and lines[at + 1 : at + 2]
        if is_introduction and lines[at + 1].startswith(">"):
            continue
        if not line.startswith(">") and not SENT_FROM.match(line.strip()):
            kept.append(line)
    return "\n".join(kept)
