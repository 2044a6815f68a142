"""Zip containers that would unpack to too much are known before a parser sees them."""

import io
import zipfile

import pytest
from hostile import MEGA, bases, bombs

from bonito_local.errors import DocumentError
from bonito_local.passages import archives
from bonito_local.passages.archives import check_archive

ARCHIVES = (".docx", ".pptx", ".xlsx", ".odt", ".epub")


def zipped(*sizes: int, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for at, size in enumerate(sizes):
            archive.writestr(f"{at}.xml", bytes(size))
    return stream.getvalue()


@pytest.mark.parametrize("kind", ARCHIVES)
def test_sound_documents_pass(kind: str) -> None:
    check_archive(bases()[kind])


def test_what_is_small_or_hardly_packed_passes() -> None:
    check_archive(zipped(40 * MEGA))
    check_archive(zipped(60 * MEGA, method=zipfile.ZIP_STORED))
    check_archive(b"no zip file")
    check_archive(b"")


@pytest.mark.parametrize("sizes", [(110 * MEGA,), (30 * MEGA,) * 4])
def test_what_unpacks_to_far_more_than_its_size_is_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(DocumentError, match="unpacks to far more"):
        check_archive(zipped(*sizes))


def test_too_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    check_archive(zipped(1, 1, 1))
    with pytest.raises(DocumentError, match="unpacks to far more"):
        check_archive(zipped(1, 1, 1, 1))


@pytest.mark.parametrize("name", ["overlapping.odt", "lying.odt", "text.epub"])
def test_bombs_are_refused_whatever_their_directory_says(name: str) -> None:
    (bomb,) = (bomb for bomb in bombs() if bomb.name == name)
    with pytest.raises(DocumentError, match="unpacks to far more"):
        check_archive(bomb.made())
