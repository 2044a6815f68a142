"""What others' text may do to a terminal: nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.printable import printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x9b31mred\x7f", "\\x9b31mred\\x7f"),
        ("a\rb", "a\\x0db"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("Straße 5,\n\t“quoted” 日本", "Straße 5,\n\t“quoted” 日本"),
    ],
)
def test_what_steers_a_terminal_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    found = printable(text)
    assert all(unicodedata.category(c) != "Cc" or c in "\n\t" for c in found)
    assert printable(found) == found


def test_a_message_that_quotes_a_long_value_is_shortened() -> None:
    assert shortened("a" * 2000) == "a" * 2000
    assert shortened("a" * 500_000 + "b" * 500_000) == f"{'a' * 1000} … {'b' * 1000}"
