"""A checkpoint at the hub on its way into a GGUF: fetched and converted a shard at a time.

First come the small files and every shard's header, so that the whole conversion is planned and
checked. Then each shard is fetched, its hash checked, its tensors written to the GGUF, and deleted:
no more than one lies on the disk. What is done is noted, and a later call goes on from there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from time import perf_counter

from bonito_local.convert import ggml
from bonito_local.convert.checkpoint import open_checkpoint
from bonito_local.convert.manifest import FileRecord, build_manifest, file_record
from bonito_local.convert.plan import Plan, make_plan
from bonito_local.convert.stream import Progress, stream
from bonito_local.convert.writer import check_target, partial_path, write_header
from bonito_local.errors import DownloadError
from bonito_local.models import hub
from bonito_local.models.fetching import Step, Tell, check_room, is_small, to_fetch, weight_files
from bonito_local.models.hub import HubFile, Repo
from bonito_local.shapes import parse

_NOTE = "done.txt"  # not .json: what lies there is a checkpoint
_AGAIN = "Give the same command again."


class Conversion:
    """Takes a checkpoint from `repo` to `out`, by way of `folder`, and tells how far it is."""

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
            if is_small(file):
                self._get(file, self._folder / file.name)
                self._fetched += file.bytes

    def _get_headers(self) -> dict[str, bytes]:
        """Each shard's header, also in a file of the shard's name."""
        headers = {}
        for file in weight_files(self._repo):
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
                    check_room(self._folder, largest)
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
            found = parse((self._folder / _NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _written(self, shard: HubFile, of: int) -> Callable[[Progress], None]:
        fetched = self._fetched + shard.bytes

        def tell(progress: Progress) -> None:
            done = self._tensors + progress.tensors_done
            self._tell(Step(progress.tensor, fetched, self._to_fetch, done, of))

        return tell


def _whole(path: Path) -> Path:
    """Where a shard is fetched to, while its header has its name."""
    return path.with_name(f"{path.name}.whole")
