"""Text of a PDF that is no language, since its font does not say what its signs mean."""

from __future__ import annotations

import re

_SIGNS, _LETTERS = 10, 40  # fewer tell nothing
_WORD = re.compile(r"[A-Za-z]{4,}")  # shorter words may well be without a vowel
_REPEATED = re.compile(r"(.)\1+")
_LENGTH = 2.5  # signs of a word, on average: signs of formulas stand alone
_VOWELS = frozenset("aeiouyAEIOUY")
_GARBLED, _STRANGE = 0.16, 0.1  # share of vowels, of characters that are none


def is_garbled(text: str) -> bool:
    """Whether the text of a font is no language: it lacks a Unicode map.

    Text of such fonts comes out as control characters and characters for private use, or as Latin
    letters of another alphabet position, with hardly a vowel.
    """
    words = text.split()
    signs = "".join(words)
    if len(signs) < max(_SIGNS, _LENGTH * len(words)):
        return False
    if sum(map(_is_strange, signs)) > _STRANGE * len(signs):
        return True
    # Each word once, without repeated letters: "XXXX" and a hundred "<td>" tell nothing.
    letters = "".join(_REPEATED.sub(r"\1", word) for word in set(_WORD.findall(text)))
    if len(letters) < _LETTERS or sum(map(len, _WORD.findall(text))) < 0.3 * len(signs):
        return False
    return sum(sign in _VOWELS for sign in letters) < _GARBLED * len(letters)


def _is_strange(sign: str) -> bool:
    if sign in "\ufffd\ufffe":
        return True
    # Not the hyphen at a line's end; not the bullets and the parts of brackets of Symbol.
    return (sign < " " and sign != "\x02") or "\ue000" <= sign < "\uf000"
