"""The parts of a message (MIME): which are its text, and which are attached to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.message import Message

from bonito_local.passages.charsets import decode_declared, decode_page

_ENCRYPTED = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature")


@dataclass(slots=True)
class TextPart:
    """A part of text; `flowed` where a space at a line's end joins it to the next (RFC 3676)."""

    text: str
    flowed: bool = False
    joins_bare: bool = False  # lines are joined without the space (DelSp)


@dataclass(slots=True)
class Choice:
    """The same text, as plain text and as HTML, or one of them; each may be several parts."""

    plain: list[TextPart] = field(default_factory=list)
    html: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Parts:
    """A message's texts in order, and what else it holds."""

    texts: list[Choice] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of attachments
    mails: list[Message] = field(default_factory=list)  # that are attached
    encrypted: bool = False
    damaged: bool = False  # parts are declared, and none found
    named_texts: list[tuple[str, Choice]] = field(default_factory=list)  # attached, or the text


def parts_of(message: Message) -> Parts:
    """Sort a message's parts. A text with a file's name is attached where another has none."""
    parts = Parts()
    _gather(message, parts)
    if parts.texts:
        parts.names += [name for name, _ in parts.named_texts]
    elif parts.named_texts:
        (_, first), *others = parts.named_texts
        parts.texts = [first]
        parts.names += [name for name, _ in others]
    return parts


def _gather(part: Message, parts: Parts) -> None:
    kind = part.get_content_type()
    payload = part.get_payload()
    if part.get_content_maintype() == "message" and kind != "message/delivery-status":
        parts.mails += _children(part)
    elif not isinstance(payload, list):
        _sort(part, kind, parts)
    elif kind == "multipart/alternative":
        parts_in = [_gathered(child) for child in _children(part)]
        _choose(parts_in, parts)
    elif kind == "multipart/related":
        _gather_related(part, parts)
    elif kind == "multipart/encrypted":
        parts.encrypted = True
    else:
        for child in _children(part):
            _gather(child, parts)


def _gathered(part: Message) -> Parts:
    parts = Parts()
    _gather(part, parts)
    return parts


def _choose(alternatives: list[Parts], parts: Parts) -> None:
    """Make one choice of alternatives; what is attached inside one is attached."""
    choice = Choice()
    for one in alternatives:
        parts.names += one.names
        parts.mails += one.mails
        parts.encrypted |= one.encrypted
        parts.damaged |= one.damaged
        texts = one.texts or [choice for _, choice in one.named_texts]
        if any(text.html for text in texts):
            # HTML with text around it, as Apple Mail writes it, is one alternative.
            choice.html = choice.html or [html for text in texts for html in text.html]
        else:
            choice.plain = choice.plain or [plain for text in texts for plain in text.plain]
    if choice.plain or choice.html:
        parts.texts.append(choice)


def _gather_related(part: Message, parts: Parts) -> None:
    """Take the root of what is related. A part with an id is shown inside it, and is no file."""
    children = _children(part)
    start = part.get_param("start")
    root = next((child for child in children if child.get("content-id") == start), None)
    root = root if start and root is not None else next(iter(children), None)
    for child in children:
        if child is root:
            _gather(child, parts)
        elif child.get("content-id") is None and child.get_content_maintype() != "image":
            parts.names.append(_name(child) or child.get_content_type())


def _sort(part: Message, kind: str, parts: Parts) -> None:
    name = _name(part)
    if kind in _ENCRYPTED:
        parts.encrypted = True
    elif kind in _SIGNATURES:
        return
    elif part.get_content_disposition() == "attachment":
        parts.names.append(name or kind)
    elif kind in ("text/plain", "text/html") or part.get_content_maintype() == "multipart":
        choice = _text(part, kind)
        if not choice:
            return
        parts.damaged |= part.get_content_maintype() == "multipart"
        if name:
            parts.named_texts.append((name, choice))
        else:
            parts.texts.append(choice)
    else:
        parts.names.append(name or kind)


def _text(part: Message, kind: str) -> Choice | None:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes) or not data.strip():
        return None
    charset = part.get_content_charset() or ""
    if charset in ("us-ascii", "ascii"):
        charset = ""  # what is said of bytes that are none by programs that do not know
    if kind == "text/html":
        return Choice(html=[decode_page(data, charset)])
    text = decode_declared(data, charset).replace("\r\n", "\n").replace("\r", "\n")
    flowed = str(part.get_param("format", "")).lower() == "flowed"
    bare = str(part.get_param("delsp", "")).lower() == "yes"
    return Choice(plain=[TextPart(text, flowed, flowed and bare)])


def _name(part: Message) -> str:
    name = ""
    try:
        name = part.get_filename() or ""
        name = str(make_header(decode_header(name)))
    except (LookupError, ValueError):  # in a charset that nobody knows
        name = name or "unnamed"
    return " ".join(name.split())


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []
