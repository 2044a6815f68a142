"""PDFs written operator by operator, for what fpdf2 cannot set."""

from collections.abc import Sequence

WIDTHS = " ".join(["500"] * 224)  # of every character, in thousandths of the size


def at(x: float, y: float, text: str, size: float = 11, font: str = "F1", turn: int = 0) -> str:
    """Operators that show a text, turned by 0, 90, 180 or 270 degrees."""
    a, b = ((1, 0), (0, 1), (-1, 0), (0, -1))[turn // 90]
    shown = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /{font} {size} Tf {a} {b} {-b} {a} {x} {y} Tm ({shown}) Tj ET\n"


def lines(x: float, y: float, texts: Sequence[str], size: float = 11) -> str:
    """Operators that show lines one below the other."""
    return "".join(at(x, y - 1.3 * size * n, text, size) for n, text in enumerate(texts))


def grid(xs: Sequence[float], ys: Sequence[float]) -> str:
    """Operators that rule a table."""
    level = "".join(f"{xs[0]} {y} m {xs[-1]} {y} l S\n" for y in ys)
    return level + "".join(f"{x} {ys[0]} m {x} {ys[-1]} l S\n" for x in xs)


def written(
    pages: Sequence[str],
    *,
    page: str = "",
    catalog: str = "",
    font: str = "",
    objects: Sequence[str] = (),
) -> bytes:
    """Write a PDF of A4 pages with these content streams.

    `page`, `catalog` and `font` are further entries of their dictionaries. `objects` are numbered
    from 10; F1 is Helvetica, F2 its bold face, F3 the font that `font` completes.
    """
    numbered: dict[int, str] = {
        1: f"<</Type/Catalog/Pages 2 0 R {catalog}>>",
        3: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        4: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>",
        5: f"<</Type/Font/Subtype/Type1/BaseFont/Own/FirstChar 32/LastChar 255/Widths[{WIDTHS}]"
        f"/FontDescriptor 6 0 R {font}>>",
        6: "<</Type/FontDescriptor/FontName/Own/Flags 4/FontBBox[0 -200 500 800]/Ascent 800"
        "/Descent -200/CapHeight 700/ItalicAngle 0/StemV 80>>",
    }
    numbered |= {10 + n: body for n, body in enumerate(objects)}
    kids = []
    for n, content in enumerate(pages):
        data = content.encode("latin-1")
        kids.append(100 + 2 * n)
        numbered[100 + 2 * n] = (
            f"<</Type/Page/Parent 2 0 R/Contents {101 + 2 * n} 0 R {page}"
            "/Resources<</Font<</F1 3 0 R/F2 4 0 R/F3 5 0 R>>>>>>"
        )
        numbered[101 + 2 * n] = f"<</Length {len(data)}>>stream\n{content}\nendstream"
    shown = " ".join(f"{kid} 0 R" for kid in kids)
    numbered[2] = f"<</Type/Pages/Count {len(kids)}/MediaBox[0 0 595 842]/Kids[{shown}]>>"
    out, offsets = bytearray(b"%PDF-1.7\n"), {}
    for number, body in sorted(numbered.items()):
        offsets[number] = len(out)
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number, offset in offsets.items():
        out += f"{number} 1\n{offset:010} 00000 n \n".encode()
    last = max(numbered) + 1
    out += f"trailer<</Size {last}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(out)
