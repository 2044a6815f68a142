"""Hostile and broken documents, generated: what a folder of strangers' files may hold."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import pyarrow as pa
import pyarrow.parquet as pq
from written import SENTENCE, pdf, rezipped, word

PROSE = " ".join([SENTENCE, "It owes interest if a payment is more than ten days late."] * 3)
MEGA = 1_000_000
# Where a document points to get at a file of the user's.
CANARY = "CANARY-5e1f"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A document; `made` writes its bytes, which may be many."""

    family: str
    name: str
    made: Callable[[], bytes]


@cache
def bases() -> dict[str, bytes]:
    """A sound document of each kind, to break."""
    table = io.BytesIO()
    pq.write_table(pa.table({"text": [PROSE] * 50, "id": list(range(50))}), table)
    rows = [json.dumps({"id": i, "text": f"{i}. {PROSE}"}) for i in range(20)]
    mail = f"From: a@x.example\nTo: b@x.example\nSubject: Rent\nMIME-Version: 1.0\n\n{PROSE}\n"
    return {
        ".pdf": pdf([["# Rent", PROSE, PROSE], [PROSE]]),
        ".docx": word("# Rent", PROSE, PROSE),
        ".pptx": pptx(f"<a:p><a:r><a:t>{PROSE}</a:t></a:r></a:p>"),
        ".xlsx": xlsx(f"<si><t>{PROSE}</t></si>"),
        ".odt": odt(f"<text:p>{PROSE}</text:p>"),
        ".epub": epub(f"<p>{PROSE}</p>"),
        ".html": f"<html><body><h1>Rent</h1><p>{PROSE}</p></body></html>".encode(),
        ".rtf": rb"{\rtf1\ansi " + PROSE.encode() + rb"\par}",
        ".eml": mail.encode(),
        ".md": f"# Rent\n\n{PROSE}\n\n- one\n- two\n".encode(),
        ".txt": f"RENT\n\n{PROSE}\n".encode(),
        ".jsonl": "\n".join(rows).encode(),
        ".csv": ("id,text\n" + "\n".join(f'{i},"{PROSE}"' for i in range(20))).encode(),
        ".parquet": table.getvalue(),
    }


def zipped(members: dict[str, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


_DRAWING = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_SLIDES = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_SHEETS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_LINKS = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
_TYPES = 'xmlns="http://schemas.openxmlformats.org/package/2006/content-types"'


def _related(kind: str, target: str) -> str:
    return (
        f"<Relationships {_LINKS}>"
        f'<Relationship Id="r1" Type="{_OFFICE}/{kind}" Target="{target}"/></Relationships>'
    )


def pptx(paragraphs: str, doctype: str = "") -> bytes:
    slide = (
        f"{doctype}<p:sld {_DRAWING} {_SLIDES}><p:cSld><p:spTree><p:sp><p:txBody>{paragraphs}"
        "</p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
    )
    return zipped(
        {
            "[Content_Types].xml": f"<Types {_TYPES}/>",
            "_rels/.rels": _related("officeDocument", "ppt/presentation.xml"),
            "ppt/presentation.xml": f'<p:presentation {_SLIDES} xmlns:r="{_OFFICE}">'
            '<p:sldIdLst><p:sldId id="256" r:id="r1"/></p:sldIdLst></p:presentation>',
            "ppt/_rels/presentation.xml.rels": _related("slide", "slides/slide1.xml"),
            "ppt/slides/slide1.xml": slide,
        }
    )


def xlsx(strings: str, doctype: str = "") -> bytes:
    return zipped(
        {
            "[Content_Types].xml": f"<Types {_TYPES}/>",
            "_rels/.rels": _related("officeDocument", "xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook {_SHEETS} xmlns:r="{_OFFICE}"><sheets>'
            '<sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _related("worksheet", "worksheets/sheet1.xml").replace(
                "</Relationships>",
                f'<Relationship Id="r2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
                "</Relationships>",
            ),
            "xl/worksheets/sheet1.xml": f"<worksheet {_SHEETS}><sheetData>"
            '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
            '<row r="2"><c r="A2" t="s"><v>0</v></c></row></sheetData></worksheet>',
            "xl/sharedStrings.xml": f"{doctype}<sst {_SHEETS}>{strings}</sst>",
        }
    )


_ODF = "urn:oasis:names:tc:opendocument:xmlns:"


def odt(body: str, doctype: str = "") -> bytes:
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f'{doctype}<o:document-content xmlns:o="{_ODF}office:1.0" '
            f'xmlns:text="{_ODF}text:1.0"><o:body><o:text>{body}</o:text></o:body>'
            "</o:document-content>",
        }
    )


def epub(body: str, doctype: str = "", href: str = "a.xhtml") -> bytes:
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
            'container" version="1.0"><rootfiles><rootfile full-path="a.opf" '
            'media-type="application/oebps-package+xml"/></rootfiles></container>',
            "a.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/>'
            f'<manifest><item id="a" href="{href}" media-type="application/xhtml+xml"/>'
            '</manifest><spine><itemref idref="a"/></spine></package>',
            "a.xhtml": f'{doctype}<html xmlns="http://www.w3.org/1999/xhtml"><body>{body}'
            "</body></html>",
        }
    )


def truncated() -> Iterator[Hostile]:
    for kind, data in bases().items():
        for part in (0.02, 0.15, 0.3, 0.5, 0.7, 0.9, 0.99):
            cut = data[: int(len(data) * part)]
            yield Hostile("truncated", f"{part:.2f}{kind}", partial(bytes, cut))


def mutated(times: int = 10) -> Iterator[Hostile]:
    for kind, data in bases().items():
        for at in range(times):
            yield Hostile("mutated", f"{at}{kind}", partial(mutate, data, f"{kind}{at}"))


def mutate(data: bytes, seed: str) -> bytes:
    """Change a few or many bytes, and move, double or drop a stretch."""
    drawn, changed = random.Random(seed), bytearray(data)
    for _ in range(drawn.choice((1, 8, 64, 512))):
        changed[drawn.randrange(len(changed))] = drawn.randrange(256)
    start, size = drawn.randrange(len(changed)), drawn.randrange(1, 2000)
    stretch = changed[start : start + size]
    match drawn.randrange(4):
        case 0:
            changed[start:start] = stretch * drawn.choice((1, 50))
        case 1:
            del changed[start : start + size]
        case 2:
            to = drawn.randrange(len(changed))
            changed[to : to + size] = stretch
    return bytes(changed)


def wrong_type() -> Iterator[Hostile]:
    for kind, data in bases().items():
        for other in bases():
            if other != kind:
                yield Hostile("wrong type", f"{kind[1:]}-as{other}", partial(bytes, data))


def noise() -> Iterator[Hostile]:
    for kind in bases():
        for size in (1, 50, 5000, 500_000):
            made = partial(random.Random(f"{kind}{size}").randbytes, size)
            yield Hostile("noise", f"{size}{kind}", made)
        yield Hostile("noise", f"zeros{kind}", lambda: bytes(100_000))
        yield Hostile("noise", f"empty{kind}", bytes)


def encodings() -> Iterator[Hostile]:
    text = f"Caf\u00e9 \u2013 \u79df\u7ea6 {PROSE}"
    for kind in (".txt", ".md", ".html", ".csv", ".jsonl"):
        for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-7", "shift_jis", "cp037"):
            made = partial(f"text\n{text}".encode, name, "replace")
            yield Hostile("encodings", f"{name}{kind}", made)
        for name, data in {
            "bom-only": b"\xff\xfe",
            "utf16-odd": b"\xff\xfe" + text.encode("utf-16-le")[:-1],
            "surrogates": b"text\n" + b"\xed\xa0\x80" * 500 + PROSE.encode(),
            "overlong": b"text\n" + b"\xc0\xaf\xe0\x80\xaf" * 500 + PROSE.encode(),
            "nuls": b"text\n" + PROSE.encode().replace(b" ", b"\0"),
            "marks": ("text\n" + "e" + "\u0301" * 200_000).encode(),
            "bidi": ("text\n" + "\u202e\u2066" * 50_000 + PROSE).encode(),
        }.items():
            yield Hostile("encodings", f"{name}{kind}", partial(bytes, data))


def _laughs(depth: int = 12) -> str:
    entities = "".join(
        f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' if i else f'<!ENTITY l0 "{PROSE}">'
        for i in range(depth)
    )
    return f"<!DOCTYPE x [{entities}]>"


def _quadratic() -> str:
    return f'<!DOCTYPE x [<!ENTITY q "{"A" * 100_000}">]>'


def bombs() -> Iterator[Hostile]:
    """What is small and unpacks to much: archives, XML entities, compressed streams."""
    big = 300 * MEGA
    for doctype, body, name in (
        (_laughs(), "&l11;", "laughs"),
        (_quadratic(), "&q;" * 20_000, "quadratic"),
    ):
        for kind, made in _with_doctype().items():
            yield Hostile("bombs", f"{name}{kind}", partial(made, doctype, body))
    for kind, member in {
        ".docx": "word/document.xml",
        ".pptx": "ppt/slides/slide1.xml",
        ".xlsx": "xl/sharedStrings.xml",
        ".odt": "content.xml",
        ".epub": "a.xhtml",
    }.items():
        base = bases()[kind]
        yield Hostile("bombs", f"text{kind}", partial(_inflated, base, member, b"A", big))
        yield Hostile("bombs", f"tags{kind}", partial(_inflated, base, member, b"<b/>", big))
        yield Hostile("bombs", f"members{kind}", partial(_many_members, base, 20_000))
        yield Hostile("bombs", f"overlapping{kind}", partial(_overlapping, base, member))
        yield Hostile("bombs", f"lying{kind}", partial(_lying, base, member))
    yield Hostile("bombs", "cells.xlsx", _many_cells)
    yield Hostile("bombs", "flate.pdf", lambda: pdf_of(_flate(big), "/FlateDecode"))
    yield Hostile(
        "bombs",
        "flate-twice.pdf",
        lambda: pdf_of(zlib.compress(_flate(1000 * MEGA)), "[/FlateDecode /FlateDecode]"),
    )
    yield Hostile("bombs", "text.pdf", lambda: pdf_of(_shown(2 * MEGA), "/FlateDecode"))
    yield Hostile("bombs", "pages.pdf", lambda: pdf_of(_shown(1), "/FlateDecode", pages=50_000))
    yield Hostile("bombs", "rows.parquet", lambda: _parquet([PROSE] * 300_000))
    yield Hostile("bombs", "cell.parquet", lambda: _parquet(["A" * 400 * MEGA]))
    yield Hostile("bombs", "pictures.rtf", lambda: rb"{\rtf1 {\pict " + b"ab" * 20 * MEGA + b"}}")
    yield Hostile("bombs", "base64.eml", lambda: _attached(b"QUFB" * 10 * MEGA))


def _with_doctype() -> dict[str, Callable[[str, str], bytes]]:
    """What makes a document of each kind of XML from a doctype and a paragraph's text."""
    return {
        ".docx": lambda t, b: _docx(f"<w:p><w:r><w:t>{b}</w:t></w:r></w:p>", t),
        ".pptx": lambda t, b: pptx(f"<a:p><a:r><a:t>{b}</a:t></a:r></a:p>", t),
        ".xlsx": lambda t, b: xlsx(f"<si><t>{b}</t></si>", t),
        ".odt": lambda t, b: odt(f"<text:p>{b}</text:p>", t),
        ".epub": lambda t, b: epub(f"<p>{b}</p>", t),
        ".xhtml": lambda t, b: f"{t}<html><body><p>{b}</p></body></html>".encode(),
    }


def _docx(paragraphs: str, doctype: str = "") -> bytes:
    def put(name: str, data: bytes) -> bytes:
        if name != "word/document.xml":
            return data
        at, body = data.index(b"<w:document"), data.index(b"<w:body>") + 8
        head = data[:at] + doctype.encode() + data[at:body]
        return head + paragraphs.encode() + data[body:]

    return rezipped(bases()[".docx"], put)


def _inflated(base: bytes, member: str, filler: bytes, size: int) -> bytes:
    """Put so many bytes between the last two tags of a member, compressed as they come."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(base)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            data = old.read(name)
            if name != member:
                new.writestr(name, data)
                continue
            at = data.rindex(PROSE.encode()) + 10
            with new.open(name, "w", force_zip64=True) as file:
                file.write(data[:at])
                piece = filler * (MEGA // len(filler))
                for _ in range(size // len(piece)):
                    file.write(piece)
                file.write(data[at:])
    return stream.getvalue()


def _many_members(base: bytes, count: int) -> bytes:
    stream = io.BytesIO(base)
    with zipfile.ZipFile(stream, "a") as archive:
        for i in range(count):
            archive.writestr(f"extra/{i}.xml", b"<a/>")
    return stream.getvalue()


def _overlapping(base: bytes, member: str) -> bytes:
    """Name one compressed member thousands of times: each entry unpacks the same bytes."""
    inflated = _inflated(base, member, b"A", 5 * MEGA)
    with zipfile.ZipFile(io.BytesIO(inflated)) as archive:
        info = archive.getinfo(member)
        entries = list(archive.infolist())
    end = inflated.rindex(b"PK\5\6")
    start = struct.unpack("<I", inflated[end + 16 : end + 20])[0]
    extra = b"".join(_entry(f"x/{i}.xml", info) for i in range(20_000))
    directory = inflated[start:end] + extra
    total = len(entries) + 20_000
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, total, total, len(directory), start, 0)
    return inflated[:start] + directory + tail


def _entry(name: str, info: zipfile.ZipInfo) -> bytes:
    encoded = name.encode()
    sizes = (info.CRC, info.compress_size, info.file_size)
    rest = (len(encoded), 0, 0, 0, 0, 0, info.header_offset)
    head = struct.pack("<4s6H3I5H2I", b"PK\1\2", 45, 45, 0, 8, 0, 0, *sizes, *rest)
    return head + encoded


def _lying(base: bytes, member: str) -> bytes:
    """Say in the directory that the member is small."""
    data = bytearray(_inflated(base, member, b"A", 300 * MEGA))
    at = data.index(b"PK\1\2")
    while data[at : at + 4] == b"PK\1\2":
        length, extra, comment = struct.unpack("<3H", data[at + 28 : at + 34])
        if data[at + 46 : at + 46 + length] == member.encode():
            data[at + 24 : at + 28] = struct.pack("<I", 1000)
        at += 46 + length + extra + comment
    return bytes(data)


def _many_cells() -> bytes:
    """Two cells at the ends of a sheet, which spans 17 billion."""

    def put(name: str, data: bytes) -> bytes:
        far = b'</row><row r="1048576"><c r="XFD1048576" t="s"><v>0</v></c></row></sheetData>'
        return data.replace(b"</row></sheetData>", far) if "sheet1" in name else data

    return rezipped(bases()[".xlsx"], put)


def pdf_of(stream: bytes, filters: str, pages: int = 1, extra: str = "") -> bytes:
    """A PDF whose pages share one content stream."""
    kids = " ".join(f"{10 + i} 0 R" for i in range(pages))
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Kids[{kids}]/Count {pages}{extra}>>".encode(),
        3: f"<</Length {len(stream)}/Filter {filters}>>stream\n".encode() + stream + b"\nendstream",
        4: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 3 0 R"
        b"/Resources<</Font<</F 4 0 R>>>>>>"
    )
    objects |= {10 + i: page for i in range(pages)}
    out, offsets = bytearray(b"%PDF-1.7\n"), {}
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj" % number + body + b"endobj\n"
    start = len(out)
    out += b"xref\n"
    for number, offset in offsets.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, offset)
    out += b"trailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF" % (10 + pages, start)
    return bytes(out)


def _flate(size: int) -> bytes:
    packer = zlib.compressobj(1)
    piece = b" " * MEGA
    return b"".join(packer.compress(piece) for _ in range(size // MEGA)) + packer.flush()


def _shown(lines: int) -> bytes:
    shown = b"BT /F 10 Tf 10 10 Td " + b"(The tenant pays the rent.) Tj 0 -1 Td " * lines + b"ET"
    return zlib.compress(shown)


def _parquet(texts: list[str]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), stream, compression="zstd")
    return stream.getvalue()


def _attached(body: bytes) -> bytes:
    head = (
        "From: a@x.example\nMIME-Version: 1.0\nContent-Type: text/plain\n"
        "Content-Transfer-Encoding: base64\n\n"
    )
    return head.encode() + body


def reaching(target: str) -> Iterator[Hostile]:
    """What tries to read `target`, a file of the user's: entities, links, names that climb."""
    for what, doctype in {
        "entity": f'<!DOCTYPE x [<!ENTITY f SYSTEM "file://{target}">]>',
        "parameter": f'<!DOCTYPE x [<!ENTITY % p SYSTEM "file://{target}"> %p;]>',
        "external-dtd": f'<!DOCTYPE x SYSTEM "file://{target}">',
    }.items():
        body = f"{PROSE} &f;" if what == "entity" else PROSE
        for kind, made in _with_doctype().items():
            yield Hostile("reaching", f"{what}{kind}", partial(made, doctype, body))
    climbing = f"../../../../../../../..{target}"
    yield Hostile("reaching", "href.epub", lambda: epub("", href=climbing))
    yield Hostile("reaching", "absolute.epub", lambda: epub("", href=f"file://{target}"))
    for kind in (".docx", ".xlsx", ".epub", ".odt"):
        yield Hostile("reaching", f"climbing{kind}", partial(_climbing, bases()[kind], climbing))
    links = (
        f'<iframe src="file://{target}"></iframe><object data="file://{target}"></object>'
        f'<img src="file://{target}"><link rel="import" href="file://{target}">'
        f'<script src="file://{target}"></script><p>{PROSE}</p>'
    )
    yield Hostile("reaching", "links.html", links.encode)
    xi = 'xmlns:xi="http://www.w3.org/2001/XInclude"'
    include = f'<xi:include {xi} href="file://{target}" parse="text"/>'
    yield Hostile("reaching", "xinclude.odt", lambda: odt(f"<text:p>{PROSE}{include}</text:p>"))
    field = rf'{{\rtf1 {{\field{{\*\fldinst INCLUDETEXT "{target}"}}{{\fldrslt x}}}} {PROSE}}}'
    yield Hostile("reaching", "include.rtf", field.encode)
    part = (
        f'Content-Type: message/external-body; access-type=local-file; name="{target}"\n\n{PROSE}'
    )
    yield Hostile(
        "reaching", "external.eml", f"From: a@x.example\nMIME-Version: 1.0\n{part}".encode
    )
    yield Hostile("reaching", "image.md", f"![x](file://{target})\n\n{PROSE}".encode)


def _climbing(base: bytes, name: str) -> bytes:
    stream = io.BytesIO(base)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(name, b"overwritten")
        link = zipfile.ZipInfo("word/media/link.xml")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, name)
    return stream.getvalue()


def nested(depth: int = 100_000) -> Iterator[Hostile]:
    """What opens and never ends: tags, brackets, quotes, groups, parts."""
    for name, data in {
        "div.html": "<div>" * depth + PROSE,
        "table.html": "<table><tr><td>" * (depth // 10) + PROSE,
        "list.html": "<ul><li>" * (depth // 10) + PROSE,
        "bold.html": "<b>" * depth + PROSE,
        "attributes.html": f"<p {'a=b ' * depth}>{PROSE}",
        "quote.md": ">" * depth + PROSE,
        "list.md": "\n".join(" " * 2 * i + "- x" for i in range(min(depth, 3000))) + PROSE,
        "bracket.md": "[" * depth + PROSE,
        "link.md": "[a](" * depth + PROSE,
        "star.md": "*a " * depth + PROSE,
        "under.md": "_" * depth + PROSE,
        "tick.md": "".join("`" * i + " " for i in range(min(depth, 3000))) + PROSE,
        "html.md": "<" * depth + PROSE,
        "table.md": "|a" * depth + "\n" + "|-" * depth + "\n" + "|b" * depth,
        "reference.md": "".join(f"[a{i}]: b\n" for i in range(depth)) + PROSE,
        "entity.md": "&" * depth + PROSE,
        "group.rtf": r"{\rtf1 " + "{" * depth + PROSE,
        "object.jsonl": '{"text":' * depth,
        "array.jsonl": '{"text":' + "[" * depth + "]" * depth + "}",
        "quotes.csv": 'text\n"' + '""' * depth,
        "columns.csv": ",".join(f"c{i}" for i in range(depth)) + "\n" + "," * depth,
        "rules.txt": "-" * depth + "\n" + PROSE,
        "hyphens.txt": "a-\n" * depth + PROSE,
        "bullets.txt": "(iv) x\n" * depth,
        "headings.txt": "HEAD\n\n" * depth + PROSE,
        "blank.txt": "\n \n" * depth + PROSE,
        "dots.txt": ". " * depth + PROSE,
        "digits.txt": "1." * depth + PROSE,
    }.items():
        yield Hostile("nested", name, data.encode)
    yield Hostile("nested", "parts.eml", lambda: _multipart(min(depth, 5000)))
    yield Hostile("nested", "tags.docx", lambda: _docx("<w:p>" * depth))
    yield Hostile(
        "nested",
        "runs.docx",
        lambda: _docx(f"<w:sdt><w:sdtContent>{'<w:tbl><w:tr><w:tc>' * (depth // 10)}"),
    )
    yield Hostile("nested", "spans.odt", lambda: odt("<text:span>" * depth))
    yield Hostile(
        "nested", "lists.odt", lambda: odt("<text:list><text:list-item>" * (depth // 10) + PROSE)
    )
    yield Hostile("nested", "divs.epub", lambda: epub("<div>" * depth + PROSE))
    yield Hostile(
        "nested",
        "arrays.pdf",
        lambda: pdf_of(b"", "/FlateDecode", extra="/X " + "[" * depth + "]" * depth),
    )
    yield Hostile(
        "nested",
        "loop.pdf",
        lambda: pdf_of(b"", "/FlateDecode").replace(b"/Kids[10 0 R]", b"/Kids[2 0 R] "),
    )
    yield Hostile("nested", "parent.pdf", lambda: pdf_of(b"", "2 0 R", extra="/Parent 2 0 R"))
    yield Hostile("nested", "zip.docx", lambda: zipped({"word/document.xml": bases()[".docx"]}))


def _multipart(depth: int) -> bytes:
    lines = ["From: a@x.example", "MIME-Version: 1.0"]
    for i in range(depth):
        lines += [f'Content-Type: multipart/mixed; boundary="b{i}"', "", f"--b{i}"]
    return "\n".join([*lines, "Content-Type: text/plain", "", PROSE]).encode()


def huge(size: int = 100 * MEGA) -> Iterator[Hostile]:
    """What is large and has nothing to cut it at."""
    yield Hostile("huge", "word.txt", lambda: b"a" * size)
    yield Hostile("huge", "spaces.txt", lambda: b" " * size)
    yield Hostile("huge", "lines.txt", lambda: b"ab cd\n" * (size // 300))
    yield Hostile("huge", "one-line.md", lambda: b"word " * (size // 250))
    yield Hostile("huge", "too-large.pdf", lambda: b"%PDF-1.7\n" + bytes(2 * size + MEGA))
    yield Hostile("huge", "too-large.txt", lambda: b"word " * (size * 2 // 5 + MEGA))
    yield Hostile("huge", "tags.html", lambda: b"<p>a</p>" * (size // 80))
    yield Hostile("huge", "line.jsonl", lambda: b'{"text": "' + b"a" * size + b'"}')
    yield Hostile("huge", "no-newline.jsonl", lambda: b"a" * size)
    yield Hostile("huge", "cell.csv", lambda: b'text\n"' + b"a" * size + b'"\n')
    yield Hostile("huge", "lines.csv", lambda: b"text\n" + b"a,b\n" * (size // 40))


def all_hostile(target: str) -> Iterator[Hostile]:
    """Every family, more than 500 documents; `target` is a file that none may reach."""
    yield from truncated()
    yield from mutated()
    yield from wrong_type()
    yield from noise()
    yield from encodings()
    yield from reaching(target)
    yield from nested()
    yield from bombs()
    yield from huge()
