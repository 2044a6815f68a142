"""Writes the passages of an evaluation set, without questions, answers and labels."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bonito_local.evaluation.sets import find_sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", dest="name", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    (found,) = find_sets(args.name, args.data)
    path = found.find(args.data)
    assert path is not None
    passages = dict.fromkeys(item.passage for item in found.read(path))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", encoding="utf-8") as file:
        for passage in passages:
            print(json.dumps({"text": passage}, ensure_ascii=False), file=file)
    print(f"{len(passages)} passages")


if __name__ == "__main__":
    main()
