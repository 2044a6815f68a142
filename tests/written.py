"""Real documents for the tests, written on the fly."""

import io
import struct
import zipfile
from collections.abc import Callable

import docx
from fpdf import FPDF

SENTENCE = "The tenant pays the rent on the first working day of each month."


class _Paper(FPDF):
    running = ""

    def header(self) -> None:
        if self.running:
            self.set_font("Helvetica", size=9)
            self.cell(0, 10, self.running, new_x="LMARGIN", new_y="NEXT")

    def footer(self) -> None:
        if self.running:
            self.set_y(-15)
            self.set_font("Helvetica", size=9)
            self.cell(0, 10, f"Page {self.page_no()} of {{nb}}", align="C")


def pdf(
    pages: list[list[str]], running: str = "", prepare: Callable[[FPDF], None] | None = None
) -> bytes:
    """Write pages of paragraphs; one that begins with "# " is set as a heading."""
    paper = _Paper()
    paper.running = running
    if prepare:
        prepare(paper)
    for page in pages:
        paper.add_page()
        for text in page:
            heading = text.startswith("# ")
            paper.set_font("Helvetica", "B" if heading else "", 16 if heading else 11)
            paper.multi_cell(0, 7, text.removeprefix("# "), new_x="LMARGIN", new_y="NEXT")
            paper.ln(5)
    return bytes(paper.output())


def word(*paragraphs: str) -> bytes:
    """Write a DOCX; a paragraph that begins with "# " is a heading."""
    document = docx.Document()
    for text in paragraphs:
        if text.startswith("# "):
            document.add_heading(text[2:], 1)
        else:
            document.add_paragraph(text)
    document.sections[0].header.paragraphs[0].text = "RUNNING HEADER"
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def rezipped(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return a zip file with its members changed."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return stream.getvalue()


def outlook(subject: str, body: str, sender: str = "Ann Bell") -> bytes:
    """Write an Outlook message: properties as streams of a compound file (MS-OXMSG, MS-CFB)."""
    texts = {0x0037: subject, 0x1000: body, 0x0C1A: sender, 0x001A: "IPM.Note"}
    streams = {
        f"__substg1.0_{tag:04X}001F": text.encode("utf-16-le") for tag, text in texts.items()
    }
    properties = struct.pack("<8xIIII8x", 0, 0, 0, 0)
    for tag, text in texts.items():
        properties += struct.pack("<HHIII", 0x1F, tag, 6, 2 * len(text) + 2, 0)
    return compound({**streams, "__properties_version1.0": properties})


def compound(streams: dict[str, bytes]) -> bytes:
    """Write a compound file (MS-CFB, version 3) with small streams, all in the root."""
    free, last, fat_sector, none = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
    names = sorted(streams, key=lambda name: (len(name), name.upper()))
    mini, starts = b"", dict[str, int]()
    mini_fat: list[int] = []
    for name in names:
        starts[name] = len(mini_fat)
        count = -(-len(streams[name]) // 64)
        mini_fat += [starts[name] + i + 1 for i in range(count - 1)] + [last]
        mini += streams[name].ljust(64 * count, b"\0")

    def entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
        encoded = name.encode("utf-16-le") + b"\0\0"
        tail = (len(encoded), kind, 1, none, right, child, b"", 0, 0, 0, start, size)
        return encoded.ljust(64, b"\0") + struct.pack("<HBBIII16sIQQIQ", *tail)

    def sectors(data: bytes) -> list[bytes]:
        return [data[i : i + 512].ljust(512, b"\0") for i in range(0, len(data), 512)]

    directory = [b""]
    for at, name in enumerate(names, start=1):
        right = at + 1 if at < len(names) else none
        directory.append(entry(name, 2, right, none, starts[name], len(streams[name])))
    packed_fat = struct.pack(f"<{len(mini_fat)}I", *mini_fat)
    packed_fat = packed_fat.ljust(-(-len(packed_fat) // 512) * 512, b"\xff")
    counts = (-(-len(directory) // 4), len(packed_fat) // 512, -(-len(mini) // 512))
    at_directory, at_mini_fat, at_mini = 1, 1 + counts[0], 1 + counts[0] + counts[1]
    directory[0] = entry("Root Entry", 5, none, 1, at_mini, len(mini))
    fat = [fat_sector]
    for first, count in zip((at_directory, at_mini_fat, at_mini), counts, strict=True):
        fat += [first + i + 1 for i in range(count - 1)] + [last]
    head = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        bytes.fromhex("d0cf11e0a1b11ae1"), 0x3E, 3, 0xFFFE, 9, 6,
        0, 1, at_directory, 0, 4096, at_mini_fat, counts[1], last, 0,
    )  # fmt: skip
    body = [
        struct.pack("<128I", *fat, *[free] * (128 - len(fat))),
        *sectors(b"".join(directory)), *sectors(packed_fat), *sectors(mini),
    ]  # fmt: skip
    return (head + struct.pack("<I", 0)).ljust(512, b"\xff") + b"".join(body)
