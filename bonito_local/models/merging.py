"""Makes a catalog model on this machine, from a base GGUF and an adapter of the package.

The base is downloaded, or a local file. It is read back into a checkpoint; the adapter is merged
and the result quantized in one pass. The checkpoint lies in the store's hidden folder and is
always removed. A downloaded base is kept until the model is complete, so that a failed run need
not download it again.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from bonito_local.convert.architectures import Architecture
from bonito_local.convert.dequantize import to_checkpoint
from bonito_local.convert.manifest import FileRecord, Manifest, file_record
from bonito_local.convert.pipeline import execute
from bonito_local.convert.plan import make_plan
from bonito_local.convert.stream import Progress
from bonito_local.errors import DownloadError, ModelError
from bonito_local.models import hub
from bonito_local.models.advice import file_bytes
from bonito_local.models.catalog import CatalogModel
from bonito_local.models.fetching import Step, Tell, check_room
from bonito_local.models.hub import HubFile, Repo

_WEIGHT_BYTES = 2  # in bfloat16
_TOKEN_BYTES = 200  # of the vocabulary, in the checkpoint's JSON and in the GGUF


@dataclass(frozen=True, slots=True)
class Recipe:
    """A catalog model with an adapter, and where its base comes from: the hub, or a local file."""

    entry: CatalogModel
    base: Repo | Path

    def hub_file(self, repo: Repo) -> HubFile:
        """Return the base at the hub.

        Raises:
            DownloadError: the file is missing, or not the one that the adapter was trained on.
        """
        file = repo.files.get(self.entry.base_file)
        if file is None or file.sha256 != self.entry.base_sha256:
            raise DownloadError(*self._other_base(f"{self.entry.base_file} of {repo.name}"))
        return file

    def local_file(self, path: Path) -> FileRecord:
        """Hash a local file and return its record, under the base's published name.

        Raises:
            ConvertError: the file cannot be read.
            ModelError: the file is not the one that the adapter was trained on.
        """
        record = file_record(path, self.entry.base_file)
        if record.sha256 != self.entry.base_sha256:
            raise ModelError(*self._other_base(str(path)))
        return record

    def _other_base(self, file: str) -> tuple[str, str]:
        entry = self.entry
        return (
            f"{file} is not the base that the adapter of {entry.name} was trained on.",
            f"That is {entry.base_file} of {entry.repo}, with SHA-256 {entry.base_sha256}: name "
            "it with --base, or update bonito-local.",
        )

    @property
    def revision(self) -> str | None:
        """The base's commit at the hub; None for a local file."""
        return self.base.commit if isinstance(self.base, Repo) else None

    @property
    def to_fetch(self) -> int:
        """Bytes to download."""
        return self.hub_file(self.base).bytes if isinstance(self.base, Repo) else 0

    def disk(self, quant: str) -> int:
        """Return the bytes of disk space that making the model takes at its peak.

        They hold the base, if it is downloaded, the checkpoint and the model.
        """
        architecture = Architecture.from_config(self.entry.config)
        weights = sum(math.prod(shape) for shape in architecture.shapes().values())
        vocabulary = architecture.vocab * _TOKEN_BYTES
        made = weights * _WEIGHT_BYTES + file_bytes(architecture, quant) + vocabulary
        return self.to_fetch + made


def check_adapter(entry: CatalogModel) -> None:
    """Check that a catalog model's adapter is installed.

    Raises:
        ModelError: a file of the adapter is missing.
    """
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (entry.adapter_path / name).is_file():
            raise ModelError(
                f"This installation lacks the adapter of {entry.name}.",
                "It is not ready yet. `bonito-local models` lists the others.",
            )


class Merging:
    """One run of a recipe: works in `folder`, writes the model to `out`, reports progress."""

    def __init__(self, recipe: Recipe, folder: Path, out: Path, quant: str, tell: Tell) -> None:
        self._recipe = recipe
        self._entry = recipe.entry
        self._folder = folder
        self._out = out
        self._quant = quant
        self._tell = tell

    def run(self) -> None:
        """Get the base, merge the adapter into it, and write the model and its manifest."""
        work = self._folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        base, record = self._get_base()
        start = perf_counter()
        work.mkdir()
        try:
            made = work / self._out.name
            manifest = replace(
                self._merge(base, made),
                source=f"{self._entry.repo}/{self._entry.base_file}",
                revision=self._recipe.revision,
                source_files=(record,),
                licence=self._entry.licence,
                seconds=round(perf_counter() - start, 3),
            )
            made.replace(self._out)
            manifest.write(self._out)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _get_base(self) -> tuple[Path, FileRecord]:
        """Check the disk space, get the base, and return it with its record."""
        needed = self._recipe.disk(self._quant)
        repo = self._recipe.base
        if isinstance(repo, Path):
            check_room(self._folder, needed)
            return repo, self._recipe.local_file(repo)
        file = self._recipe.hub_file(repo)
        path = self._folder / file.name
        there = sum(part.stat().st_size for part in self._folder.glob(f"{file.name}*"))
        check_room(self._folder, needed - min(there, file.bytes))
        hub.fetch(repo, file, path, lambda done: self._tell(Step(file.name, done, file.bytes)))
        return path, FileRecord(file.name, file.bytes, file.sha256)

    def _merge(self, base: Path, made: Path) -> Manifest:
        # The checkpoint's name goes into the GGUF. The published name is used for a local file of
        # any name, so that the same base gives the same model to the byte.
        checkpoint = made.with_name(Path(self._entry.base_file).stem)
        fetched, count = self._recipe.to_fetch, 0

        def restored(at: Progress) -> None:
            nonlocal count
            count = at.tensors
            self._tell(Step(at.tensor, fetched, fetched, at.tensors_done, 2 * count))

        def written(at: Progress) -> None:
            done, total = count + at.tensors_done, count + at.tensors
            self._tell(Step(at.tensor, fetched, fetched, done, total))

        to_checkpoint(base, checkpoint, dtype="bfloat16", progress=restored)
        plan = make_plan(checkpoint, adapters=[self._entry.adapter_path], quant=self._quant)
        metadata = {"general.license": self._entry.licence, **self._entry.metadata}
        return execute(plan, made, metadata=metadata, progress=written)
