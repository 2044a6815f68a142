"""Draws rows of an export by seed: all of them, or as many as are asked for."""

from __future__ import annotations

import argparse
import random
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=0, help="0 is all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    lines = args.rows.read_text("utf-8").splitlines(keepends=True)
    random.Random(args.seed).shuffle(lines)
    chosen = lines[: args.count or len(lines)]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("".join(chosen), "utf-8")
    print(f"{len(chosen)} of {len(lines)} rows")


if __name__ == "__main__":
    main()
