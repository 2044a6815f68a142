"""Cut files into parts that a machine takes one by one, and join them there.

    python parts.py cut FOLDER PARTS --mib 60 NAME...
    python parts.py join PARTS FOLDER

`cut` fills PARTS/part-0, PARTS/part-1, ... with the named files in their order; a file that does
not fit goes on in the next part. `manifest.json`, the same in every part, has the SHA-256 of each
file and chunk. `join` checks the sums, writes every file whose chunks are all there, and names
the parts that are missing (exit status 3). It needs nothing but Python.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
_BLOCK = 1 << 20


def cut(folder: Path, names: Sequence[str], parts: Path, size: int) -> dict[str, Any]:
    """Write the files as parts of at most `size` bytes each; return the manifest."""
    shutil.rmtree(parts, ignore_errors=True)
    files: list[dict[str, Any]] = []
    part, room = 0, size
    for name in names:
        chunks: list[dict[str, Any]] = []
        left = (folder / name).stat().st_size
        with (folder / name).open("rb") as source:
            while left or not chunks:
                if not room:
                    part, room = part + 1, size
                target = parts / f"part-{part}" / f"{name}.{len(chunks)}"
                target.parent.mkdir(parents=True, exist_ok=True)
                length = min(left, room)
                with target.open("wb") as out:
                    _copy(source, out, length)
                chunks.append({"part": part, "name": target.name, "sha256": sha256(target)})
                left, room = left - length, room - length
        files.append({"name": name, "sha256": sha256(folder / name), "chunks": chunks})
    manifest = {"parts": part + 1, "files": files}
    for number in range(part + 1):
        text = json.dumps(manifest, indent=1) + "\n"
        (parts / f"part-{number}" / MANIFEST).write_text(text)
    return manifest


def join(parts: Path, folder: Path) -> list[int]:
    """Write the files that are whole; return the numbers of the parts that are missing.

    Raises:
        SystemExit: a chunk or a file has another sum than the manifest says, or there is no part.
    """
    manifests = sorted(parts.glob(f"part-*/{MANIFEST}"))
    if not manifests:
        raise SystemExit(f"There is no part in {parts}.")
    manifest = json.loads(manifests[0].read_text())
    if any(path.read_text() != manifests[0].read_text() for path in manifests):
        raise SystemExit(f"The parts in {parts} are of different packs.")
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.parent.name for path in manifests}
    for file in manifest["files"]:
        target = folder / file["name"]
        if target.exists() or any(f"part-{c['part']}" not in there for c in file["chunks"]):
            continue
        partial = target.with_name(f"{target.name}.partial")
        with partial.open("wb") as out:
            for chunk in file["chunks"]:
                source = parts / f"part-{chunk['part']}" / chunk["name"]
                if not source.is_file() or sha256(source) != chunk["sha256"]:
                    raise SystemExit(f"{source} did not arrive whole.")
                with source.open("rb") as opened:
                    shutil.copyfileobj(opened, out, _BLOCK)
        if sha256(partial) != file["sha256"]:
            raise SystemExit(f"{target} has another sum than the manifest says.")
        partial.replace(target)
    return [n for n in range(manifest["parts"]) if f"part-{n}" not in there]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Any, out: Any, length: int) -> None:
    while length:
        block = source.read(min(_BLOCK, length))
        if not block:
            raise SystemExit(f"{source.name} became shorter while it was read.")
        out.write(block)
        length -= len(block)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("cut")
    one.add_argument("folder", type=Path)
    one.add_argument("parts", type=Path)
    one.add_argument("names", nargs="+")
    one.add_argument("--mib", type=float, default=60)
    other = commands.add_parser("join")
    other.add_argument("parts", type=Path)
    other.add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.command == "cut":
        manifest = cut(args.folder, args.names, args.parts, int(args.mib * 2**20))
        for number in range(manifest["parts"]):
            files = list((args.parts / f"part-{number}").iterdir())
            total = sum(path.stat().st_size for path in files)
            print(f"part-{number}: {total / 2**20:.1f} MiB in {len(files)} files")
    elif missing := join(args.parts, args.folder):
        print(f"missing: {', '.join(f'part-{number}' for number in missing)}")
        sys.exit(3)


if __name__ == "__main__":
    main()
