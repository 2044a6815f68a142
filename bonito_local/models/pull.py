"""From the hub into the store: a checkpoint is fetched and converted a shard at a time.

First come the small files and every shard's header, so that the whole conversion is planned and
checked. Then each shard is fetched, its hash checked, its tensors written to the GGUF, and deleted:
no more than one lies on the disk. What is done is noted, and a later call goes on from there.
A GGUF that somebody published is fetched as it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from time import perf_counter

from filelock import FileLock, Timeout

from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.convert import ggml
from bonito_local.convert.checkpoint import open_checkpoint
from bonito_local.convert.manifest import (
    FileRecord,
    build_manifest,
    describe,
    file_record,
)
from bonito_local.convert.mixes import find_mix
from bonito_local.convert.plan import Plan, make_plan
from bonito_local.convert.stream import Progress, stream
from bonito_local.convert.writer import check_target, partial_path, write_header
from bonito_local.errors import ConvertError, DownloadError, ModelError, UsageError
from bonito_local.models import hub, store
from bonito_local.models.hub import HubFile, Repo

_INDEX = "model.safetensors.index.json"
_WHOLE = "model.safetensors"
_LONGEST_SMALL = 200_000_000
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_NOTE = "done.txt"  # not .json: what lies there is a checkpoint
_AGAIN = "Give the same command again."


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is: bytes fetched, and tensors written. `now` names the file or tensor."""

    now: str
    fetched: int
    to_fetch: int
    tensors: int = 0
    of_tensors: int = 0


Tell = Callable[[Step], None]


def published(repo: Repo, quant: str) -> HubFile | None:
    """The GGUF file of a model at the hub, where it has no checkpoint that could be converted.

    Raises:
        DownloadError: it has GGUF files, but none of this quantization.
    """
    if _WHOLE in repo.files or _INDEX in repo.files:
        return None
    found = [name for name in repo.files if name.lower().endswith(".gguf") and "/" not in name]
    if not found:
        raise DownloadError(
            f"{repo.name} has no weights in safetensors, and no GGUF file.",
            "Only those are fetched: other formats can run code.",
        )
    fitting = [name for name in found if quant.lower() in name.lower()]
    if len(fitting) != 1:
        raise DownloadError(
            f"{repo.name} has {'more than one' if fitting else 'no'} file of type {quant}.",
            f"There: {', '.join(sorted(found))}. Name one with --file.",
        )
    return repo.files[fitting[0]]


def to_fetch(repo: Repo, file: HubFile | None) -> int:
    """Bytes that a pull of this model fetches in all."""
    if file is not None:
        return file.bytes
    small = [kept for kept in repo.files.values() if _is_small(kept)]
    return sum(kept.bytes for kept in [*small, *_shards(repo)])


def pull(
    repo: Repo, name: str, *, quant: str = "Q4_K_M", file: HubFile | None = None, tell: Tell
) -> Path:
    """Fetch a model, or go on with fetching it, and return where it is then.

    `file` is a GGUF of the model's: it is taken as it is, and `quant` plays no part.

    Raises:
        DownloadError: something cannot be fetched, or has a wrong hash; what was done stays.
        ConvertError: the checkpoint cannot be converted, or the disk is too full.
        UsageError: the name is taken, or the quantization unknown.
        ModelError: what was fetched is no model, or the store cannot be written to.
    """
    find_mix(quant)
    out = store.target(name)
    folder = store.staging(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{name}.lock", timeout=0):
            if file is not None:
                _fetch_whole(repo, file, folder, out, tell)
            else:
                _Conversion(repo, folder, out, quant, tell).run()
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout as error:
        raise UsageError(f"{name} is being fetched already.", "Wait for that to end.") from error
    except OSError as error:
        raise ModelError(
            f"{error.filename or out} cannot be written: {error.strerror}.",
            "Free some space, or name another folder in BONITO_LOCAL_MODELS; what is there stays.",
        ) from error
    return out


def _fetch_whole(repo: Repo, file: HubFile, folder: Path, out: Path, tell: Tell) -> None:
    if not file.sha256:
        raise DownloadError(f"The hub has no SHA-256 of {file.name}.", "It could not be checked.")
    part = folder / "model.gguf"
    _check_room(folder, file.bytes)
    hub.fetch(repo, file, part, lambda done: tell(Step(file.name, done, file.bytes)))
    read_header(part)
    record = FileRecord(out.name, file.bytes, file.sha256)
    source = f"{repo.name}/{file.name}"
    manifest = describe(part, record, source=source, revision=repo.commit, licence=repo.licence)
    part.replace(out)
    manifest.write(out)


class _Conversion:
    """A checkpoint on its way into a GGUF, shard by shard."""

    def __init__(self, repo: Repo, folder: Path, out: Path, quant: str, tell: Tell) -> None:
        self._repo = repo
        self._folder = folder
        self._out = out
        self._quant = quant
        self._tell = tell
        self._partial = partial_path(out)
        self._fetched = self._tensors = 0
        self._to_fetch = to_fetch(repo, None)

    def run(self) -> None:
        """Fetch, plan, and convert what is not done yet."""
        start = perf_counter()
        self._get_small()
        headers = self._get_headers()
        shards = [self._repo.files[name] for name in sorted(headers)]
        checkpoint = open_checkpoint(self._folder, {file.name: file.bytes for file in shards})
        plan = make_plan(checkpoint, quant=self._quant)
        ggml.prepare({tensor.kind for tensor in plan.tensors})
        offsets, done = self._begin(plan, shards)
        with self._partial.open("r+b") as file:
            for shard in shards:
                # What is computed goes with the first shard.
                mine = [
                    (tensor, offset)
                    for tensor, offset in zip(plan.tensors, offsets, strict=True)
                    if (tensor.source.path.name if tensor.source else shards[0].name) == shard.name
                ]
                if done.get(shard.name) != shard.sha256:
                    self._get_shard(shard, headers[shard.name])
                    tensors, places = [t for t, _ in mine], [o for _, o in mine]
                    stream(tensors, places, file, self._written(shard, len(plan.tensors)))
                    file.flush()
                    os.fsync(file.fileno())
                    done[shard.name] = shard.sha256
                    self._note(done)
                    (self._folder / shard.name).unlink()
                self._fetched += shard.bytes
                self._tensors += len(mine)
        manifest = build_manifest(
            plan,
            file_record(self._partial, self._out.name),
            [FileRecord(shard.name, shard.bytes, shard.sha256) for shard in shards],
            perf_counter() - start,
            source=self._repo.name,
            revision=self._repo.commit,
            licence=self._repo.licence,
        )
        self._partial.replace(self._out)
        manifest.write(self._out)

    def _get(self, file: HubFile, path: Path) -> None:
        before = self._fetched

        def progress(done: int) -> None:
            self._tell(Step(file.name, before + done, self._to_fetch, self._tensors))

        hub.fetch(self._repo, file, path, progress)

    def _get_small(self) -> None:
        """The config, the tokenizer, the index: whole, and each checked."""
        for file in self._repo.files.values():
            if _is_small(file):
                self._get(file, self._folder / file.name)
                self._fetched += file.bytes

    def _get_headers(self) -> dict[str, bytes]:
        """Each shard's header, also in a file of the shard's name."""
        headers = {}
        for file in _shards(self._repo):
            if not file.sha256:
                raise DownloadError(
                    f"The hub has no SHA-256 of {file.name}.", "It could not be checked."
                )
            path = self._folder / file.name
            if path.exists() and path.stat().st_size == file.bytes:
                # An earlier call was stopped while it converted this one.
                path.replace(_whole(path))
            headers[file.name] = hub.read_start(self._repo, file)
            path.write_bytes(headers[file.name])
        return headers

    def _get_shard(self, shard: HubFile, header: bytes) -> None:
        """The whole shard, in the place of its header."""
        path = self._folder / shard.name
        self._get(shard, _whole(path))
        with _whole(path).open("rb") as file:
            if file.read(len(header)) != header:
                raise DownloadError(f"The header of {shard.name} was another before.", _AGAIN)
        _whole(path).replace(path)

    def _begin(self, plan: Plan, shards: list[HubFile]) -> tuple[list[int], dict[str, str]]:
        """Where each tensor goes, and the shards that are done.

        An earlier call's file is gone on with if it is of this very plan.
        """
        header = BytesIO()
        metadata = {}
        if self._repo.licence and not isinstance(plan.checkpoint.config.get("license"), str):
            metadata["general.license"] = self._repo.licence
        offsets = write_header(plan, header, metadata)
        largest = max(file.bytes for file in shards)
        done = self._noted()
        wanted = header.getvalue()
        if done and self._partial.exists():
            with self._partial.open("rb") as begun:
                if begun.read(len(wanted)) == wanted:
                    _check_room(self._folder, largest)
                    return offsets, done
        check_target(self._out, plan.nbytes + largest)
        self._note({})
        with self._partial.open("wb") as file:
            write_header(plan, file, metadata)
        return offsets, {}

    def _note(self, done: Mapping[str, str]) -> None:
        """Keep the shards that are done, by name, with their hashes."""
        fresh = self._folder / f"{_NOTE}.new"
        fresh.write_text(json.dumps(done), encoding="utf-8")
        fresh.replace(self._folder / _NOTE)

    def _noted(self) -> dict[str, str]:
        try:
            found = json.loads((self._folder / _NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _written(self, shard: HubFile, of: int) -> Callable[[Progress], None]:
        fetched = self._fetched + shard.bytes

        def tell(progress: Progress) -> None:
            done = self._tensors + progress.tensors_done
            self._tell(Step(progress.tensor, fetched, self._to_fetch, done, of))

        return tell


def _shards(repo: Repo) -> list[HubFile]:
    if _INDEX in repo.files:
        return [file for name, file in repo.files.items() if _SHARD.fullmatch(name)]
    return [repo.files[_WHOLE]]


def _is_small(file: HubFile) -> bool:
    """Whether it is a file beside the weights that a conversion reads."""
    wanted = file.name.endswith((".json", ".jinja")) or file.name == "tokenizer.model"
    plain = not {"/", "\\"} & set(file.name)
    return wanted and plain and file.bytes <= _LONGEST_SMALL


def _whole(path: Path) -> Path:
    """Where a shard is fetched to, while its header has its name."""
    return path.with_name(f"{path.name}.whole")


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConvertError(
            f"{folder} has {free / 1e9:.1f} GB free, but {needed / 1e9:.1f} GB are needed.",
            "Free some space, or name another folder in BONITO_LOCAL_MODELS.",
        )
