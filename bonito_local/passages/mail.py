"""E-mail: the words its writer wrote, under the subject; no headers, quotes or signatures."""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.message import Message

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.charsets import decode_declared
from bonito_local.passages.completeness import Part, check_completeness, words_of_text
from bonito_local.passages.dom import count_words, parse, text_of
from bonito_local.passages.encoding import bom_encoding, guess_encoding
from bonito_local.passages.mailparts import Choice, TextPart, parts_of
from bonito_local.passages.mailtext import Written, read_choice
from bonito_local.passages.notes import Notes, counted
from bonito_local.passages.outlook import DAMAGED, Outlook, read_outlook
from bonito_local.passages.quotes import is_forwarded
from bonito_local.passages.webpage import Page, note_omissions

_REPLY = re.compile(r"(?:(?:re|fwd?|aw|wg|tr|rv|antw)(?:\[\d+\])?\s?:\s*)+", re.IGNORECASE)
_MAILBOX = re.compile(rb"^From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n", re.MULTILINE)
_FOLDED = re.compile(rb'(boundary="[^"\r\n]*)\r?\n([ \t][^"\r\n]*")', re.IGNORECASE)
_SIZE = re.compile(rb"(\d{1,9})[ \t]*\r?\n")
_SAVE = "Save them as files of their own to have them read."
_DECRYPT = "Decrypt it with the program that received it, and save it anew."
_MOST_NAMED = 5
_SAME = 0.7  # of the words: a plain text and a page say the same
_FEW_WORDS = 10  # of which all must be the same


def mail_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read a message (RFC 5322, MIME), or a mailbox file of many, under their subjects.

    Of alternatives the plain text is read, unless it says much less than the HTML. Quotes,
    signatures, attachments and all headers are left out and recorded in `notes`. A forwarded
    mail is read where its sender wrote next to nothing.

    Raises:
        DocumentError: the message is encrypted.
    """
    mails = list(_messages(_as_bytes(data)))
    tally = _Tally(len(mails))
    blocks: list[Block] = []
    for message in mails:
        blocks += _read(message, notes, tally)
    tally.note(notes)
    return blocks


def outlook_blocks(data: bytes, shown: Callable[[bytes], str], notes: Notes) -> list[Block]:
    """Read a message that Outlook saved, as `mail_blocks` does.

    `shown` returns lines of headers, a blank one and the text of a message whose text is kept in a
    form that is not read here (RTF).
    """
    try:
        held = read_outlook(data)
    except DAMAGED:
        held = Outlook()
    if not (held.text.plain or held.text.html):
        head, _, text = shown(data).replace("\r\n", "\n").partition("\n\n")
        subject = re.search(r"^Subject: *(.*)$", head, re.MULTILINE)
        held.subject = held.subject or (" ".join(subject[1].split()) if subject else "")
        held.text.plain = [TextPart(text)]
    tally = _Tally(1, names=held.names, attached=held.mails)
    written = read_choice(held.text, notes, is_forwarded(held.subject))
    tally.count(written, notes)
    tally.note(notes)
    return _titled(held.subject, written.blocks)


@dataclass(slots=True)
class _Tally:
    """What was left out of a file's mails."""

    mails: int
    textless: int = 0
    encrypted: int = 0
    damaged: int = 0
    page: Page = field(default_factory=Page)
    names: list[str] = field(default_factory=list)
    attached: int = 0

    def count(self, written: Written, notes: Notes) -> None:
        """Count what was left out of a text, and check that no word of the rest was lost."""
        for what, text in written.omitted:
            if what in ("quote", "signature"):
                self.add(what, count_words(text))
        for what, count in written.counts.items():
            if what not in ("quote", "signature"):
                self.add(what, count)
        for note in check_completeness(
            [Part("", written.raw)],
            "\n".join(block.text for block in written.blocks),
            left_out=[text for _, text in written.omitted],
            added=written.added,
        ):
            notes.add(note.title, note.remedy)

    def add(self, what: str, count: int) -> None:
        """Count words that were left out."""
        self.page.counts[what] = self.page.counts.get(what, 0) + count

    def note(self, notes: Notes) -> None:
        """Record what was left out."""
        note_omissions(self.page, notes)
        notes.left_out(self.attached, "attached mail", _SAVE)
        if self.names:
            names = ", ".join(self.names[:_MOST_NAMED])
            names += ", ..." if len(self.names) > _MOST_NAMED else ""
            notes.add(f"Left out {counted(len(self.names), 'attachment')} ({names}).", _SAVE)
        if self.damaged:
            whose = f"{self.damaged} of {self.mails:,} mails" if self.mails > 1 else "The mail"
            notes.add(f"{whose}: the parts cannot be told apart, and are read as one text.")
        if self.mails > 1 and self.textless:
            notes.add(f"{self.textless} of {self.mails:,} mails hold no text.")
        if self.mails > 1 and self.encrypted:
            notes.add(f"{self.encrypted} of {self.mails:,} mails are encrypted.", _DECRYPT)


def _as_bytes(data: bytes) -> bytes:
    """Return a message in bytes of ASCII and what its parts declare, whatever it was saved in."""
    encoding = bom_encoding(data)
    if encoding is None and b"\0" in data[:100]:
        encoding = guess_encoding(data)
    if encoding:
        data = data.decode(encoding, "replace").encode("utf-8", "replace")
    data = data.lstrip(b"\r\n \t")
    if size := _SIZE.match(data):  # as Apple Mail keeps one, before a list of properties
        data = data[size.end() : size.end() + int(size[1])]
    return _FOLDED.sub(rb"\1\2", data)  # the name of a border, on two lines of a header


def _messages(data: bytes) -> Iterator[Message]:
    starts = [
        found
        for found in _MAILBOX.finditer(data)
        if found.start() == 0 or data[: found.start()].endswith((b"\n\n", b"\n\r\n"))
    ]
    if not starts or starts[0].start() != 0:
        yield email.message_from_bytes(data)
        return
    ends = [found.start() for found in starts[1:]]
    for start, end in zip(starts, [*ends, len(data)], strict=True):
        yield email.message_from_bytes(data[start.end() : end])


def _read(message: Message, notes: Notes, tally: _Tally) -> list[Block]:
    subject = _header(message, "subject")
    parts = parts_of(message)
    if parts.encrypted and tally.mails == 1 and not parts.texts:
        raise DocumentError("The mail is encrypted.", _DECRYPT)
    tally.encrypted += parts.encrypted
    tally.damaged += parts.damaged
    tally.names += parts.names
    blocks: list[Block] = []
    for written in _texts(parts.texts, notes, is_forwarded(subject)):
        tally.count(written, notes)
        blocks += written.blocks
    if blocks or not parts.mails:
        tally.attached += len(parts.mails)
        tally.textless += not blocks
        return _titled(subject, blocks)
    # A mail that only hands others on, as digests do.
    return [block for mail in parts.mails for block in _read(mail, notes, tally)]


def _texts(choices: Sequence[Choice], notes: Notes, forwarded: bool) -> list[Written]:
    """Read texts that follow each other; of plain text and the same in HTML one is read."""
    merged: list[Choice] = []
    for choice in choices:
        last = merged[-1] if merged else Choice()
        if (
            choice.html
            and not choice.plain
            and last.plain
            and not last.html
            and _same(last, choice)
        ):
            last.html = choice.html
        else:
            merged.append(choice)
    return [read_choice(choice, notes, forwarded) for choice in merged]


def _same(plain: Choice, page: Choice) -> bool:
    """Whether most words of a plain text are those of a page, and the other way round."""
    words = set(words_of_text("\n".join(part.text for part in plain.plain)))
    others = set(words_of_text("\n".join(text_of(parse(html)) for html in page.html)))
    most = max(len(words), len(others))
    return len(words & others) >= (_SAME if most >= _FEW_WORDS else 1) * most


def _titled(subject: str, blocks: list[Block]) -> list[Block]:
    subject = _REPLY.sub("", subject, count=1)
    return [Block(subject, 1), *blocks] if blocks and subject else blocks


def _header(message: Message, name: str) -> str:
    value = str(message.get(name, ""))
    for field_name, raw in message.raw_items():
        if field_name.lower() == name:
            # Bytes that are not encoded as the standard says, most often in UTF-8.
            value = decode_declared(str(raw).encode("utf-8", "surrogateescape"), "")
            break
    with suppress(ValueError, LookupError):
        value = str(make_header(decode_header(value)))
    return " ".join(tidy(value).split())
