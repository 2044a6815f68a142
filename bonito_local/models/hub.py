"""A model hub of Hugging Face's kind: what a model consists of, and its files, each checked.

`huggingface_hub` knows addresses, tokens and errors; `HF_ENDPOINT` names another hub. What it
does not do is going on with a file after a restart, so the transfer itself is done here. A
file's hash is the hub's own: SHA-256 of large files, git's blob hash of small ones
(https://huggingface.co/docs/hub/api).
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bonito_local.errors import DownloadError
from bonito_local.models.response import open_response
from bonito_local.printable import one_line
from bonito_local.shapes import ShapeError, anything, list_of, maybe, parse, record, text, whole

# Before the library is imported. Its other transport, Xet, keeps no half of a file.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

_CHUNK = 1 << 20
_TRIES = 5
_SECONDS = 1.0  # before another try; then twice that, and so on
_TIMEOUT = 30.0
_LONGEST_START = 100_000_000
_MOST_ANSWER, _MOST_SECONDS = 64_000_000, 60.0  # of what the hub says of a model
_SLOWEST, _WINDOW = 100, 30.0  # bytes a second, over so many seconds
_LASTING = ("TooManyRedirects", "UnsupportedProtocol")  # another try would end so too
_LONGEST_NAME, _LONGEST_LICENCE = 500, 200
_COMMIT = re.compile(r"[0-9A-Za-z]{1,64}")
_SHA256, _SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_SIZE = whole(0, 1 << 50)
_ANSWER = record(
    {
        "siblings": list_of(
            record(
                {"rfilename": text},
                {
                    "size": maybe(_SIZE),
                    "blobId": maybe(text),
                    "lfs": maybe(record({}, {"sha256": text, "size": _SIZE})),
                },
            )
        )
    },
    {"sha": maybe(text), "cardData": anything, "gated": anything},
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a model: its hash is `sha256` where the hub has one, else git's `blob`."""

    name: str
    bytes: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True)
class Repo:
    """A model at one commit."""

    name: str
    commit: str
    files: Mapping[str, HubFile]
    licence: str
    gated: bool


def page(name: str) -> str:
    """Where a model is described."""
    return f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co')}/{name}"


def look_up(name: str, revision: str | None = None) -> Repo:
    """Ask the hub what a model consists of.

    Raises:
        DownloadError: the hub cannot be reached, or has no such model or revision.
    """
    with _told(name):
        return read_answer(name, _asked(name, revision))


def read_answer(name: str, answer: bytes) -> Repo:
    """Read what a hub says of a model, held to bounds and types.

    Raises:
        ValueError: what answers is no hub.
        DownloadError: it does not say what the model consists of.
    """
    info = parse(answer, most=_MOST_ANSWER)
    _ANSWER(info, "the answer")
    files = {}
    for sibling in info["siblings"]:
        if (file := _file(sibling)) is not None:
            files[file.name] = file
    commit = info.get("sha")
    if not commit or not _COMMIT.fullmatch(commit) or not files:
        raise DownloadError(f"The hub does not say what {name} consists of.", "Try again later.")
    return Repo(name, commit, files, _licence(info.get("cardData")), bool(info.get("gated")))


def _asked(name: str, revision: str | None) -> bytes:
    """Ask the hub about a model; return what it answers, of at most so many bytes.

    Raises:
        ValueError: the answer is without end, or packed.
    """
    from huggingface_hub import constants, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers, validate_repo_id  # type: ignore[attr-defined]

    validate_repo_id(name)
    address = f"{constants.ENDPOINT}/api/models/{name}"
    address += f"/revision/{quote(revision, safe='')}" if revision else ""
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    with open_response(f"{address}?blobs=true", headers, _TIMEOUT, _MOST_SECONDS) as response:
        hf_raise_for_status(response)
        return _body(response)


def _body(response: Any) -> bytes:
    """The body of an answer, of at most so many bytes within so many seconds."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ShapeError("packed, though that was not asked for")
    found, until = bytearray(), time.monotonic() + _MOST_SECONDS
    for chunk in response.iter_raw():
        found += chunk
        if len(found) > _MOST_ANSWER or time.monotonic() > until:
            raise ShapeError("an answer without end")
    return bytes(found)


def _file(sibling: dict[str, Any]) -> HubFile | None:
    """A file as the hub lists it; None for one of no use: without a size, a hash, a plain name."""
    name, size = sibling["rfilename"], sibling.get("size")
    lfs = sibling.get("lfs") or {}
    sha256, blob = str(lfs.get("sha256", "")).lower(), sibling.get("blobId") or ""
    parts = name.split("/")
    plain = one_line(name) == name and len(name) < _LONGEST_NAME and "\\" not in name
    if not plain or any(part in ("", ".", "..") for part in parts) or ":" in parts[0]:
        return None
    if size is None or not (_SHA256.fullmatch(sha256) or (not sha256 and _SHA1.fullmatch(blob))):
        return None
    return HubFile(name, size, sha256, blob)


def _licence(card: Any) -> str:
    """The licence by its own name, in one short line."""
    card = card if isinstance(card, dict) else {}
    named = card.get("license_name") or card.get("license") or ""
    listed = named if isinstance(named, list) else [named]
    # Of one that is not understood nothing is said: then it is not taken for a free one.
    texts = [entry for entry in listed if isinstance(entry, str)]
    return one_line(", ".join(texts))[:_LONGEST_LICENCE] if len(texts) == len(listed) else ""


def read_start(repo: Repo, file: HubFile) -> bytes:
    """Fetch the header of a safetensors file: eight bytes that give its length, and that.

    Raises:
        DownloadError: it cannot be fetched, or is no such header.
    """
    length = int.from_bytes(_part(repo, file, 8), "little")
    if length > min(file.bytes - 8, _LONGEST_START):
        raise DownloadError(f"{file.name} of {repo.name} is not a sound safetensors file.")
    return _part(repo, file, 8 + length)


def fetch(repo: Repo, file: HubFile, out: Path, progress: Callable[[int], None]) -> None:
    """Fetch a file to `out`, from where an earlier try stopped; check its hash.

    What is there already lies in `<name>.part`, or is whole; its hash counts too. `progress` is
    told how much of it is there.

    Raises:
        DownloadError: it cannot be fetched, or is not what the hub says it is; then nothing
            of it is kept.
        OSError: it cannot be written.
    """
    part = out.with_name(f"{out.name}.part")
    if out.exists():
        out.replace(part)
    # What an earlier run left may be of another file, or damaged on the disk: then once anew.
    for _ in range(2 if part.exists() else 1):
        if _transfer(repo, file, part, progress) == (file.sha256 or file.blob):
            part.replace(out)
            return
        part.unlink()
    raise DownloadError(
        f"{file.name} of {repo.name} is not what the hub says it is: its hash is another.",
        "Nothing of it was kept. Try again; if it stays so, somebody changes it on its way.",
    )


def _transfer(repo: Repo, file: HubFile, part: Path, progress: Callable[[int], None]) -> str:
    """Bring `part` to its full length, over several connections if need be; return its hash."""
    if part.exists() and part.stat().st_size > file.bytes:
        part.unlink()
    digest = _hash_of(file)
    tries = 0
    with part.open("a+b") as writing:
        writing.seek(0)
        while chunk := writing.read(_CHUNK):
            digest.update(chunk)
        done = writing.tell()
        progress(done)
        start = time.monotonic()
        while done < file.bytes:
            before = done
            try:
                for chunk in _stream(repo, file, done):
                    chunk = chunk[: file.bytes - done]
                    writing.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    progress(done)
                    if done == file.bytes:
                        break  # whatever else comes, of an answer without end too
            except _Dropped as dropped:
                writing.flush()
                # A few bytes from each of many connections never end.
                now = time.monotonic()
                tries = 1 if done - before > _SLOWEST * (now - start) else tries + 1
                start = now
                if tries > _TRIES:
                    raise dropped.error from dropped.__cause__
                time.sleep(_SECONDS * 2 ** (tries - 1))
                continue
            if done == before:
                raise DownloadError(f"The hub sends nothing of {file.name}.", "Try again later.")
        writing.flush()
        os.fsync(writing.fileno())
    return str(digest.hexdigest())


def _hash_of(file: HubFile) -> Any:
    if file.sha256:
        return hashlib.sha256()
    # Git's hash of a blob is not for security, here as there: those files are small and few.
    return hashlib.sha1(b"blob %d\0" % file.bytes, usedforsecurity=False)


class _Dropped(Exception):
    """A connection that broke; `error` is what it is called if it stays so."""

    def __init__(self, error: DownloadError) -> None:
        super().__init__()
        self.error = error


def _part(repo: Repo, file: HubFile, end: int) -> bytes:
    """The first `end` bytes of a file."""
    found = b""
    for tries in range(1, _TRIES + 1):
        try:
            for chunk in _stream(repo, file, len(found), end):
                found += chunk
                if len(found) >= end:
                    return found[:end]
        except _Dropped as dropped:
            if tries == _TRIES:
                raise dropped.error from dropped.__cause__
            time.sleep(_SECONDS * 2 ** (tries - 1))
    raise DownloadError(f"The hub sends nothing of {file.name}.", "Try again later.")


def _stream(repo: Repo, file: HubFile, start: int, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from `start` on, over one connection."""
    from huggingface_hub import hf_hub_url, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start or end:
        headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    url = hf_hub_url(repo.name, file.name, revision=repo.commit)
    try:
        with open_response(url, headers, _TIMEOUT, _MOST_SECONDS) as response:
            if response.status_code >= 500 or response.status_code == 429:
                raise _Dropped(
                    DownloadError(
                        f"The hub answers {response.status_code}.", "Try again later: it goes on."
                    )
                )
            with _told(repo.name):
                hf_raise_for_status(response)
            # A server that takes no ranges sends all: what is there already is passed over.
            skip = start if response.status_code == 200 else 0
            pace = _Pace(file)
            # As it came: what is packed, though that was not asked for, has another hash.
            for chunk in response.iter_raw():
                pace.count(chunk)
                if skip >= len(chunk):
                    skip -= len(chunk)
                    continue
                yield chunk[skip:]
                skip = 0
    except _http_error() as error:
        failed = DownloadError(
            f"The connection to the hub broke off: {error or type(error).__name__}.",
            "Give the same command again: it goes on from there.",
        )
        if type(error).__name__ in _LASTING:
            raise failed from error
        raise _Dropped(failed) from error


class _Pace:
    """Ends what comes too slowly ever to end: a byte a second keeps every single read short."""

    def __init__(self, file: HubFile) -> None:
        self._file = file
        self._since, self._bytes = time.monotonic(), 0

    def count(self, chunk: bytes) -> None:
        """Note a piece; raises DownloadError where too little came in half a minute."""
        self._bytes += len(chunk)
        if (seconds := time.monotonic() - self._since) > _WINDOW:
            if self._bytes < _SLOWEST * seconds:
                raise DownloadError(
                    f"The hub sends {self._file.name} too slowly to go on.",
                    "Try again later: it goes on from there.",
                )
            self._since, self._bytes = time.monotonic(), 0


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn the library's errors into ours."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise DownloadError(
            f"{name} is given only to those who have asked for it.",
            f"Accept its terms on its page at the hub, then `hf auth login`: {page(name)}",
        ) from error
    except RepositoryNotFoundError as error:
        raise DownloadError(
            f"The hub has no model {name!r}, or not for you.",
            "Check the name; a private one needs `hf auth login`.",
        ) from error
    except RevisionNotFoundError as error:
        raise DownloadError(f"{name} has no such revision.", "Check its branch or tag.") from error
    except RemoteEntryNotFoundError as error:
        raise DownloadError(
            f"A file of {name} is missing at the hub.", "Try again later, or another revision."
        ) from error
    except HFValidationError as error:
        raise DownloadError(
            f"{name!r} is no name of a model at the hub.", "Write OWNER/NAME, as on its page."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            "What answers is no model hub.",
            "Check HF_ENDPOINT, and whether a proxy asks for a login.",
        ) from error
    except OfflineModeIsEnabled as error:
        raise DownloadError(
            "HF_HUB_OFFLINE is set: nothing is downloaded.",
            "Unset it, on a machine with a network.",
        ) from error
    except HfHubHTTPError as error:
        raise DownloadError(
            f"The hub refuses: {str(error).strip().splitlines()[0]}", "Try again later."
        ) from error
    except (OSError, _http_error()) as error:
        raise DownloadError(
            f"The hub cannot be reached: {error}.", "Check the connection, and HF_ENDPOINT."
        ) from error


def _http_error() -> type[Exception]:
    """What `huggingface_hub`'s HTTP library raises: httpx, or httpx2, by its release."""
    from huggingface_hub import errors

    found: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    return found
