"""Characters of symbol fonts, and raised figures, as Unicode has them."""

from __future__ import annotations

_LETTERS = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"
_SYMBOL = {
    **{ord("A") + at: sign for at, sign in enumerate(_LETTERS)},
    **{ord("a") + at: sign for at, sign in enumerate("αβχδεφγηιϕκλμνοπθρστυϖωξψζ")},
    **{code: chr(code) for code in range(0x20, 0x40)},
    0x2D: "−", 0xA2: "′", 0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→",
    0xAF: "↓", 0xB0: "°", 0xB1: "±", 0xB2: "″", 0xB3: "≥", 0xB4: "×", 0xB6: "∂", 0xB7: "•",
    0xB8: "÷", 0xB9: "≠", 0xBA: "≡", 0xBB: "≈", 0xBC: "…", 0xC7: "∩", 0xC8: "∪", 0xCE: "∈",
    0xD1: "∇", 0xD2: "®", 0xD3: "©", 0xD4: "™", 0xD5: "∏", 0xD6: "√", 0xDE: "⇒", 0xE5: "∑",
    0xF2: "∫",
}  # fmt: skip
_WINGDINGS = {
    0x6C: "•", 0x6E: "•", 0x71: "☐", 0x72: "☐", 0x76: "•", 0xA7: "•", 0xA8: "☐", 0xD8: "•",
    0xDF: "←", 0xE0: "→", 0xE8: "→", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
_RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_FIGURES = frozenset("0123456789+-−")


def symbol(font: str, code: int) -> str:
    """Return the character that a symbol font shows for a code, "" where none is known."""
    font = font.lower()
    code = code - 0xF000 if 0xF000 <= code < 0xF100 else code
    if font.startswith("wingdings"):
        return _WINGDINGS.get(code, "")
    if font == "symbol":
        return _SYMBOL.get(code, "")
    return chr(code) if code >= 0x20 and not 0xD800 <= code < 0xE000 else ""


def in_symbol_font(font: str, text: str) -> str:
    """Return a text set in a symbol font, whose characters are for private use, in Unicode."""
    if text.isascii() or not font.lower().startswith(("symbol", "wingdings")):
        return text
    return "".join(symbol(font, ord(c)) if "\uf000" <= c <= "\uf0ff" else c for c in text)


def raised(text: str) -> str:
    """Return a raised text; figures stay apart from those they stand on ("10⁵", not "105")."""
    return text.translate(_RAISED) if text and set(text.strip()) <= _FIGURES else text
