"""How the reader process and its parent talk: JSON headers, a line each, and raw bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from bonito_local.passages.types import Document, Problem, ReadOptions, Section, Text


@dataclass(frozen=True, slots=True)
class Asked:
    """A document to read: its bytes, or for a table its path."""

    document: Document
    options: ReadOptions
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The document is done with; `title` says what was wrong, where something was.

    `final` says that the process ends with it.
    """

    title: str = ""
    remedy: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Alive:
    """The document takes long, as it may: the clock starts anew."""


Answer = Text | Problem | Alive | Ended


def send_asked(to: IO[bytes], asked: Asked) -> None:
    """Write a request."""
    document = asked.document
    header = {
        "path": str(document.path),
        "source": document.source,
        "kind": document.kind,
        "options": asdict(asked.options),
    }
    _send(to, header, asked.data)


def receive_asked(source: IO[bytes]) -> Asked | None:
    """Read a request; None at the end."""
    received = _receive(source)
    if received is None:
        return None
    header, data = received
    document = Document(Path(header["path"]), header["source"], header["kind"])
    return Asked(document, ReadOptions(**header["options"]), data)


def send_answer(to: IO[bytes], answer: Answer) -> None:
    """Write an answer."""
    if isinstance(answer, Text):
        sections = [(s.start, s.body, s.end, s.path) for s in answer.sections]
        header = {
            "is": "text",
            "sections": sections,
            "pages": answer.pages,
            "row": answer.row,
            "textless": answer.textless,
            "recognized": answer.recognized,
        }
        _send(to, header, answer.text.encode("utf-8", "surrogatepass"))
    else:
        _send(to, {"is": type(answer).__name__.lower(), **asdict(answer)})


def receive_answer(source: IO[bytes]) -> Answer | None:
    """Read an answer; None where the other side has gone."""
    received = _receive(source)
    if received is None:
        return None
    header, data = received
    what = header.pop("is")
    if what == "ended":
        return Ended(**header)
    if what == "alive":
        return Alive()
    if what == "problem":
        return Problem(**header)
    return Text(
        (data or b"").decode("utf-8", "surrogatepass"),
        tuple(Section(s, b, e, tuple(path)) for s, b, e, path in header["sections"]),
        tuple((at, page) for at, page in header["pages"]),
        header["row"],
        tuple(header["textless"]),
        tuple(header["recognized"]),
    )


def _send(to: IO[bytes], header: dict[str, Any], data: bytes | None = None) -> None:
    size = None if data is None else len(data)
    to.write(json.dumps({**header, "size": size}).encode() + b"\n")
    if data:
        to.write(data)
    to.flush()


def _receive(source: IO[bytes]) -> tuple[dict[str, Any], bytes | None] | None:
    line = source.readline()
    if not line.endswith(b"\n"):
        return None
    header: dict[str, Any] = json.loads(line)
    size = header.pop("size")
    if size is None:
        return header, None
    data = source.read(size)
    return (header, data) if len(data) == size else None
