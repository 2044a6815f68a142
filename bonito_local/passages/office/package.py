"""Zip packages of XML parts (OOXML and ODF): safe parsing, and parts by their relationships."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.parsers import expat

from bonito_local.errors import DocumentError

MOST_PART_BYTES = 400_000_000  # of one part, unpacked: its tree takes several times as much
_SCHEMAS = "http://schemas.openxmlformats.org/"
OFFICE_RELATIONS = f"{_SCHEMAS}officeDocument/2006/relationships"
R = f"{{{OFFICE_RELATIONS}}}"
W = f"{{{_SCHEMAS}wordprocessingml/2006/main}}"
A = f"{{{_SCHEMAS}drawingml/2006/main}}"
P = f"{{{_SCHEMAS}presentationml/2006/main}}"
X = f"{{{_SCHEMAS}spreadsheetml/2006/main}}"
M = f"{{{_SCHEMAS}officeDocument/2006/math}}"
DIAGRAM = f"{{{_SCHEMAS}drawingml/2006/diagram}}"
MC = f"{{{_SCHEMAS}markup-compatibility/2006}}"
_PACKAGE_RELATIONS = f"{{{_SCHEMAS}package/2006/relationships}}"
# The strict variant of OOXML has other names for the same elements.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
_ON = {"1", "true", "on", "t"}
# What zipfile raises on a hostile file, by its sources.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
)


def damaged(kind: str, detail: str) -> DocumentError:
    """Return the error about a document that cannot be read as `kind` (".docx")."""
    return DocumentError(
        f"The document is damaged, or no {kind} file ({detail}).",
        "Open it in the program that made it and save it again.",
    )


def encrypted() -> DocumentError:
    """Return the error about an encrypted document."""
    return DocumentError("The document is encrypted.", "Save it without a password.")


def is_on(value: str | None, default: bool = False) -> bool:
    """Read an OOXML truth value; `default` where it is not given."""
    return default if value is None else value in _ON


@dataclass(frozen=True, slots=True)
class Relation:
    """A relationship of a part: `kind` is the last word of its type, `target` a part's name."""

    kind: str
    target: str
    external: bool


class Package:
    """The parts of a zip package, by name without regard to case."""

    def __init__(self, data: bytes, kind: str) -> None:
        """Open a package.

        Raises:
            DocumentError: the bytes are no zip file.
        """
        self.kind = kind
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except ZIP_ERRORS as error:
            raise damaged(kind, "no zip file") from error
        self._infos = {_key(info.filename): info for info in self._zip.infolist()}

    def names(self) -> list[str]:
        """Return the names of all parts, in lower case."""
        return list(self._infos)

    def read(self, name: str) -> bytes | None:
        """Return a part's bytes; None where there is no such part.

        Raises:
            DocumentError: the part is damaged, encrypted or too large.
        """
        info = self._infos.get(_key(name)) or self._infos.get(_key(unquote(name)))
        if info is None:
            return None
        if info.flag_bits & 1:
            raise encrypted()
        if info.file_size > MOST_PART_BYTES:
            raise DocumentError(
                "The document unpacks to far more than its size; it is not read, to be safe.",
                "Split it into smaller documents.",
            )
        try:
            return self._zip.read(info)
        except ZIP_ERRORS as error:
            raise damaged(self.kind, f"{posixpath.basename(name)} cannot be unpacked") from error

    def xml(self, name: str) -> Element | None:
        """Return a part's root element; None where there is no such part.

        Raises:
            DocumentError: the part is damaged or no XML.
        """
        data = self.read(name)
        return None if data is None else parse_xml(data, self.kind)

    def relations(self, part: str = "") -> dict[str, Relation]:
        """Return the relationships of a part, or of the package, by their ids.

        Raises:
            DocumentError: they are damaged.
        """
        folder, name = posixpath.split(part)
        root = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        relations: dict[str, Relation] = {}
        for element in root.iter(f"{_PACKAGE_RELATIONS}Relationship") if root is not None else ():
            target = element.get("Target", "").replace("\\", "/")
            external = element.get("TargetMode") == "External"
            if not external:
                joined = target if target.startswith("/") else posixpath.join(folder, target)
                target = posixpath.normpath(joined).lstrip("/")
            kind = element.get("Type", "").rpartition("/")[2]
            relations[element.get("Id", "")] = Relation(kind, target, external)
        return relations

    def related(self, part: str, kind: str) -> list[str]:
        """Return the names of the parts that a part has a relationship of a kind to.

        Raises:
            DocumentError: the relationships are damaged.
        """
        relations = self.relations(part).values()
        return [held.target for held in relations if held.kind == kind and not held.external]

    def main(self) -> str:
        """Return the name of the main part, whatever it is called.

        Raises:
            DocumentError: no relationship names a main part that is there.
        """
        for name in self.related("", "officeDocument"):
            if _key(name) in self._infos:
                return name
        raise damaged(self.kind, "it has no main part")


def parse_xml(data: bytes, kind: str) -> Element:
    """Return the root element of XML.

    A document type declaration, which may hide a bomb, is refused.

    Raises:
        DocumentError: the XML is damaged or declares a document type.
    """
    _refuse_doctype(data, kind)
    parser = XMLParser()  # noqa: S314 - no document type, so no entities of its own
    try:
        parser.feed(_STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/\2", data))
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise damaged(kind, "its XML is not well-formed") from error
    return root


class _PrologEnd(Exception):
    pass


def _refuse_doctype(data: bytes, kind: str) -> None:
    def refuse(*_: object) -> None:
        raise damaged(kind, "its XML declares a document type")

    def stop(*_: object) -> None:
        raise _PrologEnd

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        parser.Parse(data, True)
    except _PrologEnd:
        return
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise damaged(kind, "its XML is not well-formed") from error


def _key(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
