"""E-mail: the words its writer wrote, under the subject; no headers, quotes or signatures."""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator
from email.header import decode_header, make_header
from email.message import Message

from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.plain import decode, plain_blocks

_REPLY = re.compile(r"(?:(?:re|fwd?|aw|wg|tr|rv|antw)(?:\[\d+\])?:\s*)+", re.IGNORECASE)
_SIGNATURE = re.compile(r"--\s?")
_QUOTED = re.compile(r"\s?[>|]")
# The line that a mail program puts before what it quotes.
_WROTE = re.compile(r"(?:On|Am|Le|El)\b.{4,200}\b(?:wrote|schrieb|écrit|escribió)[^:]{0,60}:")
_ORIGINAL = re.compile(r"-{2,}\s*(?:Original Message|Forwarded message)\s*-{2,}", re.IGNORECASE)
# The head of a mail that Outlook puts below the answer to it.
_HEAD = re.compile(r"(?:From|Von|De): .+\n(?:Sent|Date|Gesendet|Envoyé|Enviado): .+\n\w+:")
_SENT_FROM = re.compile(r"(?:Sent from my|Get Outlook for) .{1,40}")


def mail_blocks(data: bytes, html_blocks: Callable[[bytes], list[Block]]) -> list[Block]:
    """Read a message (RFC 5322, MIME): its text part, or its HTML where it has no other.

    `html_blocks` reads HTML. The subject is a heading. What is quoted from other mails, the
    signature and all headers are left out; attachments are not read.
    """
    message = email.message_from_bytes(data)
    return _titled(_header(message, "subject"), _blocks(message, html_blocks))


def outlook_blocks(shown: str) -> list[Block]:
    """Read what kreuzberg shows of an Outlook message: lines of headers, a blank one, the text."""
    head, _, text = tidy(shown).partition("\n\n")
    subject = re.search(r"^Subject: *(.*)$", head, re.MULTILINE)
    return _titled(subject[1] if subject else "", plain_blocks("\n".join(written_lines(text))))


def _titled(subject: str, blocks: list[Block]) -> list[Block]:
    subject = _REPLY.sub("", subject, count=1)
    return [Block(subject, 1), *blocks] if blocks and subject else blocks


def written_lines(text: str) -> Iterator[str]:
    """Yield the lines of a mail that its writer wrote."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if _SIGNATURE.fullmatch(line) or _ORIGINAL.search(line):
            return
        if _HEAD.match("\n".join(lines[at : at + 3])):
            return
        # The line that introduces a quote may be wrapped.
        following = " ".join(lines[at : at + 2])
        found = _WROTE.match(following)
        if found and _quotes(lines, at, found.end() > len(line)):
            return
        if not _QUOTED.match(line) and not _SENT_FROM.fullmatch(line.strip()):
            yield line


def _quotes(lines: list[str], at: int, wrapped: bool) -> bool:
    """Whether nothing but quotes, or nothing at all, follows an introduction."""
    rest = [line for line in lines[at + 1 + wrapped :] if line.strip()]
    return not rest or bool(_QUOTED.match(rest[0]))


def _blocks(message: Message, html_blocks: Callable[[bytes], list[Block]]) -> list[Block]:
    parts = [part for part in message.walk() if _is_body(part)]
    for part in parts:
        if part.get_content_type() == "text/plain" and (text := _text(part).strip()):
            return plain_blocks("\n".join(written_lines(tidy(text))))
    for part in parts:
        if part.get_content_type() == "text/html" and (text := _text(part).strip()):
            return [
                Block(kept, block.level)
                for block in html_blocks(text.encode("utf-8", "replace"))
                if (kept := "\n".join(written_lines(block.text)).strip())
            ]
    return []


def _is_body(part: Message) -> bool:
    return not part.is_multipart() and part.get_content_disposition() != "attachment"


def _text(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes) or not data:
        return ""
    charset = part.get_content_charset()
    if charset and charset not in ("us-ascii", "utf-8"):
        try:
            return data.decode(charset, "replace")
        except (LookupError, ValueError):
            pass  # a name that no codec has: told by the bytes, then
    return decode(data)


def _header(message: Message, name: str) -> str:
    value = message.get(name, "")
    try:
        value = str(make_header(decode_header(value)))
    except (ValueError, LookupError):
        value = str(value)
    return " ".join(tidy(value).split())
