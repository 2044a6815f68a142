"""Which columns of a table hold its text: one, several joined, or a field inside one."""

from __future__ import annotations

from collections.abc import Sequence

from bonito_local.errors import DocumentError, did_you_mean

TEXT_COLUMNS = ("text", "context", "passage", "content")
_MOST_NAMED = 20  # columns in a message
_KINDS: dict[type, str] = {
    bool: "true and false",
    int: "numbers",
    float: "numbers",
    list: "lists",
    dict: "objects",
}

# A column's name, and the keys of a field inside it: ("messages", "0", "content").
Place = tuple[str, ...]


def pick_columns(columns: Sequence[str], column: str | None, *, nested: bool) -> list[Place]:
    """Return the places of the text to read.

    `column` names a column, several that are parted by commas, or with `nested` a field inside
    one: "messages.0.content". Without it, the one column named text, context, passage or content
    is taken.

    Raises:
        DocumentError: a column is not there, or is not given and cannot be guessed.
    """
    if column is not None:
        if column in columns:
            return [(column,)]
        return [_place(columns, name.strip(), nested) for name in column.split(",")]
    known = [name for name in columns if name.lower() in TEXT_COLUMNS]
    if len(known) != 1:
        which = "Several columns could be" if known else "No column is clearly"
        raise DocumentError(
            f"{which} the text to read.", f"Name one with --column. The columns: {listed(columns)}."
        )
    return [(known[0],)]


def _place(columns: Sequence[str], name: str, nested: bool) -> Place:
    if name in columns:
        return (name,)
    keys = tuple(name.split("."))
    if nested and keys[0] in columns:
        return keys
    hint = did_you_mean(name, list(columns))
    raise DocumentError(
        f"The table has no column {name!r}.",
        hint if hint.startswith("Did") else f"Its columns: {listed(columns)}.",
    )


def listed(columns: Sequence[str]) -> str:
    """Return the first names of columns, for a message."""
    return ", ".join(columns[:_MOST_NAMED])


def field_at(value: object, place: Place) -> object:
    """Return what stands at a place in a record; None where there is no such field."""
    for key in place:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            at = int(key) if key.isdecimal() else len(value)
            value = value[at] if at < len(value) else None
        else:
            return None
    return value


def joined(texts: Sequence[str | None]) -> str:
    """Return the texts of several columns as one, each a paragraph of its own."""
    return "\n\n".join(text for text in texts if text and text.strip())


def shown(place: Place) -> str:
    """Return a place as a user names it."""
    return ".".join(place)


def no_text(place: Place, kind: object, columns: Sequence[str]) -> DocumentError:
    """Return the error about a column that holds values of another kind."""
    name = _KINDS.get(kind, kind.__name__) if isinstance(kind, type) else kind
    return DocumentError(
        f"Column {shown(place)!r} holds {name}, not text.",
        f"Name a text column with --column. The columns: {listed(columns)}.",
    )
