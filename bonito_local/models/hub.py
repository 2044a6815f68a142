"""A model hub of Hugging Face's kind: what a model consists of, and its files, each checked.

`huggingface_hub` knows addresses, tokens and errors; `HF_ENDPOINT` names another hub. What it
does not do is going on with a file after a restart, so the transfer itself is done here. A
file's hash is the hub's own: SHA-256 of large files, git's blob hash of small ones
(https://huggingface.co/docs/hub/api).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonito_local.errors import DownloadError

# Before the library is imported. Its other transport, Xet, keeps no half of a file.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

_CHUNK = 1 << 20
_TRIES = 5
_SECONDS = 1.0  # before another try; then twice that, and so on
_TIMEOUT = 30.0
_LONGEST_START = 100_000_000


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
    from huggingface_hub import HfApi

    with _told(name):
        info = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=_TIMEOUT)
    files = {}
    for sibling in info.siblings or ():
        sha256 = str(sibling.lfs.sha256) if sibling.lfs else ""
        size = sibling.size
        if size is not None and (sha256 or sibling.blob_id):
            files[sibling.rfilename] = HubFile(
                sibling.rfilename, size, sha256, sibling.blob_id or ""
            )
    if info.sha is None or not files:
        raise DownloadError(f"The hub does not say what {name} consists of.", "Try again later.")
    card: Any = info.card_data or {}
    licence = card.get("license_name") or card.get("license") or ""
    return Repo(name, info.sha, files, str(licence), bool(info.gated))


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
        while done < file.bytes:
            before = done
            try:
                for chunk in _stream(repo, file, done):
                    chunk = chunk[: file.bytes - done]
                    writing.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    progress(done)
            except _Dropped as dropped:
                writing.flush()
                tries = 1 if done > before else tries + 1
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
    from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start or end:
        headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    url = hf_hub_url(repo.name, file.name, revision=repo.commit)
    try:
        with get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT) as response:
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
            for chunk in response.iter_bytes():
                if skip >= len(chunk):
                    skip -= len(chunk)
                    continue
                yield chunk[skip:]
                skip = 0
    except _http_error() as error:
        raise _Dropped(
            DownloadError(
                f"The connection to the hub broke off: {error or type(error).__name__}.",
                "Give the same command again: it goes on from there.",
            )
        ) from error


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
