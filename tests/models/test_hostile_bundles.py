"""Bundles of strangers: names that lead elsewhere, links, bombs, and contents of wrong types."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bonito_local.models import installer

GOOD: dict[str, Any] = {
    "format": 1,
    "version": "0.1.0",
    "python": "3.11",
    "platform": ["linux", "x86_64"],
    "models": [],
    "files": [],
}


def entry(name: str, data: bytes = b"x") -> dict[str, Any]:
    return {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def write(path: Path, contents: object, *members: str, **how: int) -> Path:
    with zipfile.ZipFile(path, "w") as bundle:
        text = contents if isinstance(contents, str) else json.dumps(contents)
        bundle.writestr(installer.CONTENTS, text)
        for name in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = how.get("mode", 0) << 16
            member.compress_type = how.get("packed", zipfile.ZIP_STORED)
            bundle.writestr(member, b"x")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../evil.whl",
        "models/../../evil.gguf",
        "models/..gguf",
        "models/.hidden.gguf",
        "/etc/passwd",
        "wheels/a/b.whl",
        "models/a\\b.gguf",
        "models/" + "n" * 300 + ".gguf",
        "models/a\n.gguf",
        ".bashrc",
        "models/a.gguf/",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    contents = GOOD | {"files": [entry(name)]}
    with pytest.raises(installer.Refused, match="of a name that none has"):
        installer.verify(write(tmp_path / "b.pyz", contents, name))
    with pytest.raises(installer.Refused, match="does not say what"):
        installer.verify(write(tmp_path / "c.pyz", contents))


@pytest.mark.parametrize(
    "how",
    [
        {"mode": stat.S_IFLNK | 0o777},
        {"mode": stat.S_IFIFO | 0o600},
        {"packed": zipfile.ZIP_DEFLATED},
        {"packed": zipfile.ZIP_BZIP2},
        {"packed": zipfile.ZIP_LZMA},
    ],
)
def test_links_and_what_is_packed_are_refused(how: dict[str, int], tmp_path: Path) -> None:
    contents = GOOD | {"files": [entry("models/a.gguf")]}
    with pytest.raises(installer.Refused, match="a link, or what is packed or encrypted"):
        installer.verify(write(tmp_path / "b.pyz", contents, "models/a.gguf", **how))


def test_what_is_encrypted_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.pyz", GOOD | {"files": [entry("models/a.gguf")]}, "models/a.gguf")
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(signature, at + 1)
    path.write_bytes(data)
    with pytest.raises(installer.Refused, match="encrypted"):
        installer.verify(path)


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    contents = GOOD | {"files": [entry("models/a.gguf"), entry("models/A.gguf")]}
    path = write(tmp_path / "b.pyz", contents, "models/a.gguf", "models/A.gguf")
    with pytest.raises(installer.Refused, match="of a name that none has"):
        installer.verify(path)


WRONG: dict[str, object] = {
    "format": ["1", None, True, [1], 10**30],
    "version": [5, "1; rm", "../x", "", None, "1 --index-url http://x"],
    "python": [3.11, "3", "../../bin/sh", None],
    "platform": ["linux", [], ["linux"], [1, 2], {"a": 1}, ["a/b", "c"]],
    "files": [
        {},
        [5],
        [{"name": 5, "bytes": 1, "sha256": "0" * 64}],
        [{"name": "models/a.gguf", "bytes": "1", "sha256": "0" * 64}],
        [{"name": "models/a.gguf", "bytes": -1, "sha256": "0" * 64}],
        [{"name": "models/a.gguf", "bytes": 10**30, "sha256": "0" * 64}],
        [{"name": "models/a.gguf", "bytes": 1, "sha256": ["0"]}],
        [entry("models/a.gguf"), entry("models/a.gguf")],
        [entry("bundle.json")],
    ],
}


@pytest.mark.parametrize("field", WRONG)
def test_contents_of_wrong_types_are_refused(field: str, tmp_path: Path) -> None:
    values = WRONG[field]
    assert isinstance(values, list)
    for value in values:
        with pytest.raises(installer.Refused):
            installer.verify(write(tmp_path / "b.pyz", GOOD | {field: value}))
    without = {name: value for name, value in GOOD.items() if name != field}
    with pytest.raises(installer.Refused):
        installer.verify(write(tmp_path / "b.pyz", without))


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "null", "5", '"x"', "[]", "", "9" * 5000, '{"format": 1}', "\ud800"]
)
def test_contents_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "b.pyz"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(installer.CONTENTS, text.encode("utf-8", "surrogatepass"))
    with pytest.raises(installer.Refused):
        installer.verify(path)


def whole(path: Path) -> bytes:
    return write(path, GOOD | {"files": [entry("models/a.gguf")]}, "models/a.gguf").read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"PK" + data[2:][::-1],
        lambda data: data.replace(b"models/a", b"models/\xff"),
        lambda data: data[:-22] + b"\xff" * 22,
        lambda data: data[:-6] + b"\xff\xff\xff\xff" + data[-2:],
    ],
)
def test_a_broken_archive_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "b.pyz"
    path.write_bytes(damage(whole(path)))
    with pytest.raises(installer.Refused):
        installer.verify(path)


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(installer.Refused, match="is no file"):
        installer.verify(tmp_path)
