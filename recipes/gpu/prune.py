"""Leave out of two packages what one NVIDIA GPU under Linux does not need.

    python prune.py wheel bitsandbytes-VERSION.whl FOLDER --cuda 130
    python prune.py sources llama_cpp_python-VERSION.tar.gz OUT.tar.xz
    python prune.py ggml OUT.tar.xz

`wheel` keeps bitsandbytes' library for the CPU and for one CUDA release: 2 MB of 43. `sources`
keeps what building llama-cpp-python with CUDA reads: 3 MB of 77. `ggml` packs the quantizers that
`bonito-local convert` calls, from the llama-cpp-python of this environment: a conversion on the
GPU machine need not wait for the build.
"""

from __future__ import annotations

import argparse
import io
import re
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

_LIBRARY = re.compile(r"bitsandbytes/libbitsandbytes_(\w+)\.(?:so|dll|dylib)$")
_LLAMA = "vendor/llama.cpp/"
# Of the archive's top folder; a name with a slash at its end is a whole folder.
_KEPT = (
    *("CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE.md", "PKG-INFO", "llama_cpp/"),
    *(f"{_LLAMA}{name}" for name in ("CMakeLists.txt", "LICENSE", "licenses/", "cmake/")),
    *(f"{_LLAMA}{name}/" for name in ("include", "src", "common", "vendor")),
    *(f"{_LLAMA}ggml/{name}" for name in ("CMakeLists.txt", "cmake/", "include/")),
    *(f"{_LLAMA}ggml/src/{name}/" for name in ("ggml-cpu", "ggml-cuda")),
)
_GGML_SOURCE = re.compile(rf"{_LLAMA}ggml/src/[^/]+$")  # files, not the other backends' folders


def prune_wheel(wheel: Path, folder: Path, cuda: str) -> Path:
    """Write the wheel again, under its name, without the libraries of other devices."""
    out = folder / wheel.name
    kept = {"cpu", f"cuda{cuda}"}
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as target:
        libraries = {m[1]: m.string for m in map(_LIBRARY.match, source.namelist()) if m}
        if absent := kept - libraries.keys():
            raise SystemExit(f"{wheel.name} has no library for {', '.join(absent)}.")
        dropped = {name for device, name in libraries.items() if device not in kept}
        for name in source.namelist():
            if name in dropped:
                continue
            data = source.read(name)
            if name.endswith(".dist-info/RECORD"):
                lines = data.decode().splitlines(keepends=True)
                data = "".join(x for x in lines if x.split(",")[0] not in dropped).encode()
            target.writestr(name, data)
    return out


def keeps(path: str) -> bool:
    """Return whether the build reads a file of llama-cpp-python's sources."""
    return bool(_GGML_SOURCE.match(path)) or any(
        path.startswith(name) if name.endswith("/") else path == name for name in _KEPT
    )


def prune_sources(archive: Path, out: Path) -> None:
    """Write the archive again without what the build does not read."""
    with tarfile.open(archive) as source, tarfile.open(out, "w:xz", preset=9) as target:
        for member in source:
            if member.isfile() and keeps(member.name.partition("/")[2]):
                target.addfile(member, source.extractfile(member))


def pack_ggml(out: Path) -> None:
    """Pack a `llama_cpp` that holds the quantizers' library and no Python code."""
    spec = find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise SystemExit("llama-cpp-python is not installed.")
    with tarfile.open(out, "w:xz") as target:
        target.addfile(tarfile.TarInfo("llama_cpp/__init__.py"), io.BytesIO())
        library = Path(spec.origin).parent / "lib/libggml-base.so"
        target.add(library.resolve(), "llama_cpp/lib/libggml-base.so")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    wheel = commands.add_parser("wheel")
    wheel.add_argument("wheel", type=Path)
    wheel.add_argument("folder", type=Path)
    wheel.add_argument("--cuda", default="130")
    sources = commands.add_parser("sources")
    sources.add_argument("archive", type=Path)
    sources.add_argument("out", type=Path)
    ggml = commands.add_parser("ggml")
    ggml.add_argument("out", type=Path)
    args = parser.parse_args()
    if args.command == "wheel":
        prune_wheel(args.wheel, args.folder, args.cuda)
    elif args.command == "sources":
        prune_sources(args.archive, args.out)
    else:
        pack_ggml(args.out)


if __name__ == "__main__":
    main()
