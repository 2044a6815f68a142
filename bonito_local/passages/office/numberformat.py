"""Numbers as a spreadsheet shows them: Excel's number formats (ECMA-376, 18.8.31)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00",
    12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy",
    18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "hh:mm", 21: "hh:mm:ss", 22: "yyyy-mm-dd h:mm",
    37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00", 40: "#,##0.00;-#,##0.00",
    41: "#,##0", 42: "$#,##0", 43: "#,##0.00", 44: "$#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
}  # fmt: skip
_TOKEN = re.compile(
    r'"([^"]*)"?|\\(.)|_.|\*.|\[(h+|m+|s+)\]|\[\$([^\]-]*)[^\]]*\]|(\[[^\]]*\])'
    r"|(General|AM/PM|A/P|E[+-]|y+|m+|d+|h+|s+|\.0+(?=[^0#?]|$)|[0#?,./%@]|.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)\s*(-?[\d.]+)\]")
_DATES = re.compile(r"[ymdhs]+|am/pm|a/p", re.IGNORECASE)
_MONTHS = "January February March April May June July August September October November December"
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_MOST_DAYS = 2_958_466  # the end of the year 9999
_CHECKS = {
    "<": lambda a, b: a < b, ">": lambda a, b: a > b, "=": lambda a, b: a == b,
    "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b, "<>": lambda a, b: a != b,
}  # fmt: skip
# What a part of a format is: literal text, an elapsed time, or a sign of the format itself.
_Part = tuple[str, str]


def format_number(value: float, code: str, date1904: bool = False) -> str:
    """Write a number as a format code shows it; "" where the code hides it.

    A number that its format cannot show (a date before 1900) is written in full.
    """
    if code in ("", "General"):
        return plain_number(value)
    section, negative = _section(value, code)
    parts = _parts(section)
    if not section.strip():
        return "" if code.strip() else plain_number(value)
    try:
        if is_date(code):
            return _date(value, parts, date1904)
        return _number(abs(value) if negative else value, parts)
    except (OverflowError, ValueError, InvalidOperation):
        return plain_number(value)


def plain_number(value: float) -> str:
    """Write a number without a format: whole ones in full, others with 10 figures."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.10g}".replace("e", "E")


@lru_cache(maxsize=1000)
def is_date(code: str) -> bool:
    """Whether a format code shows a number as a date or a time."""
    parts = _parts(_sections(code)[0])
    return any(kind == "elapsed" or (kind == "sign" and _DATES.fullmatch(s)) for kind, s in parts)


@lru_cache(maxsize=1000)
def _sections(code: str) -> list[str]:
    sections, depth = [""], ""
    at = 0
    while at < len(code):
        sign = code[at]
        if sign == "\\" and not depth:
            sections[-1] += code[at : at + 2]
            at += 2
            continue
        if depth:
            depth = "" if sign == depth else depth
        elif sign in '"[':
            depth = '"' if sign == '"' else "]"
        elif sign == ";":
            sections.append("")
            at += 1
            continue
        sections[-1] += sign
        at += 1
    return sections


def _section(value: float, code: str) -> tuple[str, bool]:
    """Return the section of a code that a value is shown by, and whether its sign is in it."""
    sections = _sections(code)
    if any(_CONDITION.search(section) for section in sections[:2]):
        for section in sections[:3]:
            found = _CONDITION.search(section)
            if not found or _CHECKS[found[1]](value, float(found[2])):
                return section, False
        return sections[-1], False
    if value < 0 and len(sections) > 1:
        return sections[1], True
    if value == 0 and len(sections) > 2:
        return sections[2], False
    return sections[0], False


@lru_cache(maxsize=1000)
def _parts(section: str) -> list[_Part]:
    parts: list[_Part] = []
    for found in _TOKEN.finditer(section):
        quoted, escaped, elapsed, currency, bracket, sign = found.groups()
        if quoted is not None or escaped is not None:
            parts.append(("text", quoted if quoted is not None else escaped))
        elif elapsed:
            parts.append(("elapsed", elapsed.lower()))
        elif currency is not None:
            parts.append(("text", currency))
        elif sign and not bracket:
            parts.append(("sign", sign))
        elif found[0].startswith("_"):
            parts.append(("text", " "))
    return parts


def _number(value: float, parts: list[_Part]) -> str:
    signs = "".join(sign for kind, sign in parts if kind == "sign")
    if "@" in signs or "general" in signs.lower():
        shown = {"@": plain_number(value), "general": plain_number(value)}
        return "".join(shown.get(s.lower(), s) if k == "sign" else s for k, s in parts).strip()
    pattern = "".join(sign for sign in signs if sign in "0#?.,/%") + ("E" * ("E" in signs.upper()))
    places = [at for at, part in enumerate(parts) if _is_place(part)]
    if not places:
        return "".join(sign for _, sign in parts).strip()
    value *= 100 ** signs.count("%")
    figures = _figures(abs(value), pattern, signs)
    minus = "-" if value < 0 and any(c in "123456789" for c in figures) else ""
    first, last = places[0], places[-1]
    if last - first + 1 > len(places) and "E" not in pattern and "/" not in pattern:
        figures = _spread(figures, parts[first : last + 1])
    before = "".join(sign for _, sign in parts[:first])
    after = "".join(sign for _, sign in parts[last + 1 :])
    return f"{minus}{before}{figures}{after}".strip()


def _is_place(part: _Part) -> bool:
    kind, sign = part
    return kind == "sign" and (sign in "0#?,/" or sign[0] == "." or sign[0] in "eE")


def _spread(figures: str, parts: list[_Part]) -> str:
    """Set figures into places that have text between them: 078-05-1120."""
    whole, _, decimals = figures.replace(",", "").partition(".")
    signs = "".join(sign for kind, sign in parts if kind == "sign")
    count = len(re.findall(r"[0#?]", signs.partition(".")[0]))
    # The first place takes all the figures that have no place of their own.
    surplus = max(0, len(whole) - count)
    left = [whole[: surplus + 1]] if surplus else list(whole[:1].rjust(count - len(whole) + 1))
    left += list(whole[len(whole) - count + 1 :] if surplus else whole[1:])
    pieces = []
    for kind, sign in parts:
        if not _is_place((kind, sign)):
            pieces.append(sign)
            continue
        for place in sign:
            if place == ".":
                pieces.append("." * bool(decimals))
                left = list(decimals)
            elif place in "0#?" and left:
                pieces.append(left.pop(0).strip())
    return "".join(pieces)


def _figures(value: float, pattern: str, signs: str) -> str:
    if "E" in pattern:
        mantissa = re.split("E[+-]", signs, flags=re.IGNORECASE)[0]
        places = len(re.findall(r"[0#?]", mantissa.partition(".")[2]))
        figures, _, power = f"{value:.{places}E}".partition("E")
        least = len(signs.upper().rpartition("E")[2].strip("+-").rstrip("%"))
        return f"{figures}E{power[0]}{power[1:].lstrip('0').rjust(max(1, least), '0')}"
    if "/" in pattern:
        return _fraction(value, pattern)
    whole, _, decimals = pattern.partition(".")
    scaled = len(whole) - len(whole.rstrip(",")) if "." in pattern else 0
    scaled = scaled or len(pattern) - len(pattern.rstrip(",%").rstrip(","))
    scaled -= signs.count("%") if "%" in pattern and pattern.endswith("%") else 0
    number = Decimal(repr(value)) / Decimal(1000) ** max(0, scaled)
    places = len(re.findall(r"[0#?]", decimals))
    text = f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    first, _, last = text.partition(".")
    least = decimals.rstrip("%,").rstrip("#?").count("0") if decimals else 0
    while len(last) > least and last.endswith("0"):
        last = last[:-1]
    needed = len(re.sub("[^0#?]", "", whole).lstrip("#?"))  # figures, from the first 0 on
    first = first.lstrip("0").rjust(needed, "0")
    if "," in whole.rstrip(","):
        first = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", first)
    return f"{first}.{last}" if last else first


def _fraction(value: float, pattern: str) -> str:
    below = pattern.partition("/")[2]
    most = 10 ** max(1, min(4, len(re.findall(r"[0#?]", below)))) - 1
    whole, rest = divmod(value, 1)
    part = Fraction(rest).limit_denominator(most)
    if part == 1:
        whole, part = whole + 1, Fraction(0)
    shown = str(int(whole)) if whole or not part else ""
    return f"{shown} {part.numerator}/{part.denominator}".strip() if part else shown


def _date(value: float, parts: list[_Part], date1904: bool) -> str:
    if not 0 <= value < _MOST_DAYS:
        return plain_number(value)
    seconds = round(value * 86400, 3)
    has_fraction = any(kind == "sign" and sign.startswith(".0") for kind, sign in parts)
    if not has_fraction:
        seconds = float(round(seconds))
    start = datetime(1904, 1, 1) if date1904 else datetime(1899, 12, 30)
    day = timedelta(days=1) if not date1904 and value < 60 else timedelta()
    at = start + day + timedelta(seconds=seconds)
    is_half = any(kind == "sign" and sign.upper() in ("AM/PM", "A/P") for kind, sign in parts)
    shown = []
    for index, (kind, sign) in enumerate(parts):
        if kind == "elapsed":
            unit = {"h": 3600, "m": 60, "s": 1}[sign[0]]
            shown.append(f"{int(seconds // unit):0{len(sign)}}")
        elif kind == "text" or not _DATES.fullmatch(sign):
            is_part = kind == "sign" and sign.startswith(".0")
            shown.append(f"{seconds % 1:.{len(sign) - 1}f}"[1:] if is_part else sign)
        elif sign[0] in "mM" and _is_minute(parts, index):
            shown.append(f"{at.minute:0{min(2, len(sign))}}")
        else:
            shown.append(_date_part(at, sign, is_half))
    return "".join(shown).strip()


def _is_minute(parts: list[_Part], index: int) -> bool:
    def nearest(step: int) -> str:
        at = index + step
        while 0 <= at < len(parts):
            kind, sign = parts[at]
            if kind == "elapsed" or (kind == "sign" and _DATES.fullmatch(sign)):
                return sign[0].lower()
            at += step
        return ""

    return nearest(-1) == "h" or nearest(1) == "s"


def _date_part(at: datetime, sign: str, is_half: bool) -> str:
    unit, size = sign[0].lower(), len(sign)
    if sign.upper() in ("AM/PM", "A/P"):
        return ("AM" if at.hour < 12 else "PM")[: 2 if size > 3 else 1]
    if unit == "y":
        return f"{at.year:04}" if size > 2 else f"{at.year % 100:02}"
    if unit == "m" and size > 2:
        name = _MONTHS.split()[at.month - 1]
        return name if size == 4 else name[: 1 if size == 5 else 3]
    if unit == "d" and size > 2:
        name = _DAYS.split()[at.weekday()]
        return name if size > 3 else name[:3]
    hour = (at.hour - 1) % 12 + 1 if is_half else at.hour
    count = {"m": at.month, "d": at.day, "h": hour, "s": at.second}[unit]
    return f"{count:0{min(2, size)}}"
