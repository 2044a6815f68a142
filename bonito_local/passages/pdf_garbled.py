"""Text of a PDF that is no language, since its font does not say what its signs mean."""

from __future__ import annotations

_SIGNS, _LETTERS = 10, 40  # fewer tell nothing
_VOWELS = frozenset("aeiouyAEIOUY")
_GARBLED, _STRANGE = 0.16, 0.1  # share of vowels, of characters that are none


def is_garbled(text: str) -> bool:
    """Whether the text of a font is no language: it lacks a Unicode map.

    Text of such fonts comes out as control characters and characters for private use, or as Latin
    letters of another alphabet position, with hardly a vowel.
    """
    signs = [sign for sign in text if not sign.isspace()]
    if len(signs) < _SIGNS:
        return False
    strange = sum(
        sign in "\ufffd\ufffe" or sign < " " or "\ue000" <= sign <= "\uf8ff" for sign in signs
    )
    if strange - text.count("\x02") > _STRANGE * len(signs):
        return True
    letters = [sign for sign in signs if sign.isascii() and sign.isalpha()]
    if len(letters) < max(_LETTERS, 0.3 * len(signs)):
        return False
    return sum(sign in _VOWELS for sign in letters) < _GARBLED * len(letters)
