"""The manifest beside a converted file: what went in, what was done, what came out."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonito_local.backends.llamacpp.gguf_file import quantization, read_header
from bonito_local.bounds import read_small
from bonito_local.errors import ConvertError
from bonito_local.shapes import anything, list_of, map_of, maybe, parse, record, text, whole

if TYPE_CHECKING:  # a manifest is read where no converter is needed
    from bonito_local.convert.plan import Plan

TOOLS = ("bonito-local", "llama-cpp-python", "gguf", "numpy")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file by name, size and SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """A tensor of the output: ggml's type name, and how many updates went into it."""

    name: str
    shape: tuple[int, ...]
    type: str
    bytes: int
    merged: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `<name>.gguf.json` holds."""

    output: FileRecord
    source: str
    revision: str | None
    source_files: tuple[FileRecord, ...]
    adapters: tuple[str, ...]
    adapter_files: tuple[FileRecord, ...]
    architecture: str
    parameters: int
    quant: str
    merge_into: str | None
    imatrix: FileRecord | None
    tensors: tuple[TensorRecord, ...]
    seconds: float
    versions: Mapping[str, str] = field(default_factory=dict)
    verification: Mapping[str, Any] | None = None  # see `record_verification`
    licence: str = ""
    format: int = 1

    def write(self, out: Path) -> None:
        """Write the manifest beside the GGUF at `out`."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        manifest_path(out).write_text(text + "\n", "utf-8")


def manifest_path(out: Path) -> Path:
    """Return where the manifest of a GGUF lies."""
    return out.with_name(out.name + ".json")


def file_record(
    path: Path, name: str | None = None, stop: threading.Event | None = None
) -> FileRecord:
    """Hash a file, a chunk at a time.

    Raises:
        ConvertError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if stop is not None and stop.is_set():
                    break
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    return FileRecord(name or path.name, size, digest.hexdigest())


class SourceHasher:
    """Hashes the sources in a thread of its own while the conversion reads them."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._stop = threading.Event()
        self._records: list[FileRecord] = []
        self._error: ConvertError | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> SourceHasher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def records(self) -> tuple[FileRecord, ...]:
        """Wait for the hashes, in the order of the files.

        Raises:
            ConvertError: a file cannot be read.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return tuple(self._records)

    def _run(self) -> None:
        try:
            for path in self._files:
                self._records.append(file_record(path, stop=self._stop))
        except ConvertError as error:
            self._error = error


def build_manifest(
    plan: Plan,
    output: FileRecord,
    hashes: Sequence[FileRecord],
    seconds: float,
    *,
    source: str | None = None,
    revision: str | None = None,
    licence: str = "",
) -> Manifest:
    """Put the manifest together; `hashes` are those of `source_files(plan)`.

    `source` is what the checkpoint is called, where that is not its folder's name; `revision`
    its commit.
    """
    count = len(plan.checkpoint.files)
    adapters = len(plan.adapters)
    return Manifest(
        output=output,
        source=source or plan.checkpoint.path.resolve().name,
        revision=revision,
        source_files=tuple(hashes[:count]),
        adapters=tuple(adapter.path.resolve().name for adapter in plan.adapters),
        adapter_files=tuple(hashes[count : count + adapters]),
        architecture=plan.architecture.hf_name,
        parameters=plan.parameters,
        quant=plan.mix.name,
        merge_into=plan.merge_into if plan.adapters else None,
        imatrix=hashes[-1] if plan.imatrix else None,
        tensors=tuple(
            TensorRecord(t.name, t.shape, t.kind.name, t.nbytes, len(t.updates))
            for t in plan.tensors
        ),
        seconds=round(seconds, 3),
        versions=versions(),
        licence=licence,
    )


def describe(
    path: Path, output: FileRecord, *, source: str, revision: str | None = None, licence: str = ""
) -> Manifest:
    """Tell of a GGUF that was made elsewhere what it tells of itself; `source` has it.

    Raises:
        ModelError: it is broken.
    """
    header = read_header(path)
    told = header.metadata
    return Manifest(
        output=output,
        source=source,
        revision=revision,
        source_files=(),
        adapters=(),
        adapter_files=(),
        architecture=str(told.get("general.architecture", "")),
        parameters=sum(math.prod(shape) for shape in header.tensors.values()),
        quant=quantization(told),
        merge_into=None,
        imatrix=None,
        tensors=(),
        seconds=0.0,
        versions=versions(),
        licence=licence or str(told.get("general.license", "")),
    )


def versions() -> dict[str, str]:
    """Return the releases of what makes a file."""
    return {tool: importlib.metadata.version(tool) for tool in TOOLS}


def record_verification(out: Path, found: Mapping[str, Any]) -> None:
    """Note in the manifest of `out`, where it has one, how its verification ended.

    Raises:
        ConvertError: the manifest cannot be read or written.
    """
    manifest = read_manifest(out)
    if manifest is None:
        return
    path = manifest_path(out)
    fresh = path.with_name(f".{path.name}.new")
    text = json.dumps(manifest | {"verification": dict(found)}, indent=1, ensure_ascii=False)
    try:
        fresh.write_text(text + "\n", "utf-8")
        fresh.replace(path)
    except OSError as error:
        raise ConvertError(f"{path} cannot be written: {error.strerror}.") from error


def source_files(plan: Plan) -> list[Path]:
    """Return the files whose bytes decide the output."""
    files = [*plan.checkpoint.files, *(adapter.file for adapter in plan.adapters)]
    return [*files, plan.imatrix] if plan.imatrix else files


def read_manifest(out: Path) -> dict[str, Any] | None:
    """Read the manifest of the GGUF at `out`, None where there is none.

    Raises:
        ConvertError: it is not JSON, or says things that no manifest says.
    """
    path = manifest_path(out)
    try:
        value: dict[str, Any] = parse(read_small(path))
        _MANIFEST(value, "the manifest")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConvertError(f"{path} is not a manifest.") from error
    return value


_FILE = record({}, {"name": text, "bytes": whole(0), "sha256": text})
_MANIFEST = record(
    {},
    {
        **dict.fromkeys(("source", "architecture", "quant", "licence"), text),
        **dict.fromkeys(("revision", "merge_into"), maybe(text)),
        **dict.fromkeys(("source_files", "adapter_files"), list_of(_FILE)),
        "output": _FILE,
        "adapters": list_of(text),
        "imatrix": maybe(_FILE),
        "parameters": whole(0),
        "tensors": list_of(map_of(anything)),
        "versions": map_of(anything),
        "verification": maybe(map_of(anything)),
    },
)
