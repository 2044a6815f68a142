"""Text in JSON, XML and notebooks, each piece with the names of what holds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.charsets import declared_charset, decode_declared
from bonito_local.passages.markdown import markdown_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.plain import decode, plain_blocks

_LONG = 200  # characters: longer values are paragraphs of their own
_NO_JSON = "Check that the file is what its suffix says."


def json_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read JSON: an object is a paragraph of its names and values, long texts are their own.

    Raises:
        DocumentError: it is no JSON.
    """
    held = _parsed(decode(data))
    if isinstance(held, dict) and isinstance(held.get("cells"), list) and "nbformat" in held:
        return _notebook(held, notes)
    return list(_described(held, ""))


def notebook_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read the text cells of a Jupyter notebook; code and what it printed are left out.

    Raises:
        DocumentError: it is no notebook.
    """
    held = _parsed(decode(data))
    if not isinstance(held, dict):
        raise DocumentError("The document is no notebook: it holds no cells.", _NO_JSON)
    return _notebook(held, notes)


def xml_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read XML: short texts that stand together as "name: text", all others as paragraphs.

    Raises:
        DocumentError: it is no XML, or declares entities.
    """
    text = decode_declared(data, declared_charset(data))
    if "<!ENTITY" in text:
        raise DocumentError(
            "The document declares entities, which may unpack to anything; it is not read.",
            "Save it without them.",
        )
    if text.startswith("<?xml"):
        text = text.partition("?>")[2]
    builder = ElementTree.TreeBuilder(insert_comments=True)
    parser = ElementTree.XMLParser(target=builder)  # noqa: S314 - no entities, no network
    try:
        parser.feed(text.lstrip("\ufeff \r\n\t"))
        root = parser.close()
    except ElementTree.ParseError as error:
        line, _ = error.position
        raise DocumentError(
            f"The document is damaged, or no XML (line {line}).", _NO_JSON
        ) from error
    comments = sum(not isinstance(node.tag, str) for node in root.iter())
    notes.left_out(comments, "comment", "")
    return list(_elements(root))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        raise DocumentError(
            f"The document is damaged, or no JSON (line {error.lineno}).", _NO_JSON
        ) from error


def _described(held: Any, name: str) -> Iterator[Block]:
    """Yield a value's paragraphs: what is short on one line, what is long below it."""
    if isinstance(held, list):
        flat = [item for item in held if not isinstance(item, dict | list)]
        if len(flat) == len(held):
            texts = list(filter(None, map(_shown, held)))
            if sum(map(len, texts)) <= _LONG:
                yield from _named(name, ", ".join(texts))
            else:
                for text in texts:
                    yield from plain_blocks(text, headings=False)
            return
        for item in held:
            yield from _described(item, name)
        return
    if not isinstance(held, dict):
        text = _shown(held)
        yield from plain_blocks(text, headings=False) if len(text) > _LONG else _named(name, text)
        return
    pairs, rest = [], []
    for key, value in _flat(held, ""):
        text = "" if isinstance(value, dict | list) else _shown(value)
        if isinstance(value, dict | list) or len(text) > _LONG or "\n\n" in text:
            rest.append((key, value))
        elif text:
            pairs.append(f"{key}: {text}")
    if pairs:
        yield Block("; ".join(pairs))
    for key, value in rest:
        yield from _described(value, f"{name}.{key}" if name else key)


def _flat(held: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in held.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict):
            yield from _flat(value, name)
        else:
            yield name, value


def _named(name: str, text: str) -> Iterator[Block]:
    if text:
        yield Block(f"{name}: {text}" if name else text)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return tidy(str(value))


def _notebook(held: dict[str, Any], notes: Notes) -> list[Block]:
    blocks: list[Block] = []
    code = 0
    cells = held.get("cells")
    for cell in cells if isinstance(cells, list) else []:
        if not isinstance(cell, dict):
            continue
        source = cell.get("source", "")
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        if cell.get("cell_type") == "markdown":
            blocks += markdown_blocks(text)
        elif cell.get("cell_type") == "code":
            code += bool(text.strip())
        else:
            blocks += plain_blocks(text, headings=False)
    notes.left_out(code, "cell of code", "")
    return blocks


def _elements(node: ElementTree.Element) -> Iterator[Block]:
    """Yield paragraphs of an element: its own text, or those of the elements in it."""
    children = [child for child in node if isinstance(child.tag, str)]
    mixed = any(text and text.strip() for text in (node.text, *(child.tail for child in node)))
    if not children or mixed:
        text = tidy(" ".join("".join(_texts(node)).split()))
        if text:
            yield Block(text)
        return
    pairs: list[str] = []
    for child in children:
        leaf = not any(isinstance(inner.tag, str) for inner in child)
        text = tidy(" ".join((child.text or "").split())) if leaf else ""
        if leaf and len(text) <= _LONG and text[-1:] not in (".", "!", "?"):
            pairs += [f"{_local(child)}: {text}"] if text else []
            continue
        if pairs:
            yield Block("; ".join(pairs))
            pairs = []
        yield from _elements(child)
    if pairs:
        yield Block("; ".join(pairs))


def _texts(node: ElementTree.Element) -> Iterator[str]:
    yield node.text or ""
    for child in node:
        if isinstance(child.tag, str):
            yield from _texts(child)
        yield child.tail or ""


def _local(node: ElementTree.Element) -> str:
    return str(node.tag).rpartition("}")[2]
