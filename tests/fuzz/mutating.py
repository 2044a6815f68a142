"""Ways to break what a parser reads: bytes, the values of a JSON text, of a store, of a template.

Each takes a source of draws, which is Python's own or Hypothesis's, and what is sound.
"""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from chat_templates import PUBLISHED

EVIL = [
    *("null", "true", "[]", "{}", '""', "-1", "0", "1e999", "NaN", "9" * 30, "9" * 5000),
    *('"\\u0000"', '"\\ud800"', '"../../x"', '"\\u001b]0;x\\u0007"', "[" * 5000, '{"a":' * 5000),
    *(
        "1e-46",
        "9223372036854775808",
        "2000000000",
        "-9223372036854775809",
        '"' + "n" * 5000 + '"',
        "[[]]",
    ),
]


def flip(draw: random.Random, data: bytes) -> bytes:
    """Change, take out, repeat or swap a few bytes, or put an evil value among them."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        if not found:
            break
        at, length = draw.randrange(len(found)), draw.choice((1, 1, 2, 4, 8, 100))
        kind = draw.randrange(6)
        if kind == 0:
            found[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = found[at : at + length] * draw.choice((1, 2, 50))
        elif kind == 3:
            found[at : at + length] = draw.choice(
                (b"\xff" * length, b"\0" * length, b"\x7f" * length)
            )
        elif kind == 4:
            found[at:at] = draw.choice(EVIL).encode()
        else:
            found = found[: max(1, at)]
    return bytes(found)


def values(draw: random.Random, data: bytes) -> bytes:
    """Put an evil value in the place of one or two values of a JSON text."""
    tree = json.loads(data)
    marks: dict[str, str] = {}
    for number in range(draw.choice((1, 1, 2))):
        places = list(places_of(tree))
        if not places:
            break
        holder, key = draw.choice(places)
        mark = f"\ue000{number}\ue000"
        marks[json.dumps(mark)] = draw.choice(EVIL)
        holder[key] = mark
    text = json.dumps(tree)
    for mark, evil in marks.items():
        text = text.replace(mark, evil)
    return text.encode("utf-8", "surrogatepass")


def places_of(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every list and object of a JSON value, with each of its keys."""
    keys = range(len(tree)) if isinstance(tree, list) else list(tree)
    for key in keys:
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from places_of(tree[key])


def store_values(draw: random.Random, data: bytes) -> bytes:
    """Change a value of a store by SQL, or bytes of the file."""
    if draw.random() < 0.5:
        return flip(draw, data)
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        with closing(sqlite3.connect(file.name)) as db, suppress(sqlite3.Error):
            db.execute("PRAGMA ignore_check_constraints = 1")
            tables = [
                name
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if not name.startswith(("sqlite_", "passage_words"))
            ]
            table = draw.choice(tables)
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            value = draw.choice([*EVIL, b"\xff\xfe", -1, 1 << 62, 9e300, None, ""])
            db.execute(f'UPDATE {table} SET "{draw.choice(columns)}" = ?', (value,))
            db.commit()
        return Path(file.name).read_bytes()


def gguf_header(draw: random.Random, data: bytes) -> bytes:
    """Mutate what comes before the tensors' data."""
    end = len(data) // 8
    return flip(draw, data[:end]) + data[end:]


_PIECES = [
    *("{% for a in range(9999) %}", "{% endfor %}", "{{ 9 ** 9 ** 9 }}", "{{ 'x' * 999999 }}"),
    *(
        "{{ messages }}",
        "{{ messages[0].content * 9999 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}",
    ),
    *("{{ raise_exception('\\n') }}", "{{ lipsum() }}", "{% set ns = namespace(a=1) %}", "{{ ns.a"),
    *("{% if messages[0].role == 'system' %}", "{% else %}", "{% endif %}", "<think>", "</think>"),
    *(
        "reasoning_effort ",
        "enable_thinking",
        "[INST]",
        "\ue000message\ue000",
        "\ue001",
        "((((" * 99,
    ),
    *(
        "{{ ''.__class__ }}",
        "{{ cycler.__init__ }}",
        "{{ 1 // 0 }}",
        "{{ none.x.y }}",
        "{#",
        "{% raw %}",
    ),
]


def template_pieces(draw: random.Random, data: bytes) -> bytes:
    """Put pieces of other templates, sound and hostile, into a chat template."""
    text = data.decode("utf-8", "replace")
    for _ in range(draw.choice((1, 1, 2, 4))):
        at, length = draw.randrange(len(text) + 1), draw.choice((0, 0, 1, 20, 200))
        if draw.random() < 0.3:
            other = draw.choice(list(PUBLISHED.values()))
            begin = draw.randrange(len(other))
            piece = other[begin : begin + draw.choice((10, 100, 1000))]
        else:
            piece = draw.choice(_PIECES)
        text = text[:at] + piece + text[at + length :]
    return text.encode("utf-8", "replace")


_SETTINGS = [
    *("5", "-1", "1e999", "nan", "9" * 30, "true", '""', "[]", "[1]", "[[]]", '[""]', "{}"),
    *("{ a = 1 }", "{ a = [] }", "2020-01-01", '"{{context}}"', '"{answer}"', '"(((["', '"nobody"'),
    *('"\\u001b]0;x\\u0007"', '"' + "n" * 5000 + '"', '["x", "x"]', '{ question = "sentence" }'),
    *('["question", "wrong"]', '["((("]', '["statement"]', '"statement"', "[" * 2000, "'''"),
]


def settings(draw: random.Random, data: bytes) -> bytes:
    """Change the values of a TOML text, or name a key anew."""
    lines = data.decode().split("\n")
    keys = [number for number, line in enumerate(lines) if " = " in line]
    for _ in range(draw.choice((1, 1, 2, 3))):
        number = draw.choice(keys)
        name, _, value = lines[number].partition(" = ")
        kind = draw.randrange(8)
        if kind == 0:
            lines[number] = f"{draw.choice(('x', 'names', 'ask', 'a.b', '[x]'))} = {value}"
        elif kind == 1:
            lines[number] = ""
        else:
            lines[number] = f"{name} = {draw.choice(_SETTINGS)}"
    return "\n".join(lines).encode()
