"""Merges the adapter into the base and writes bonito-tiny as GGUF, by the product's convert."""

from __future__ import annotations

import argparse
from pathlib import Path

from mix import WEIGHTS

from bonito_local.convert.pipeline import convert

METADATA: dict[str, str | int] = {
    "general.name": "bonito-tiny",
    "general.license": "cc-by-sa-4.0",
    "bonito.passage_tokens": 112,  # about 70 words, near the mean of what rows were made from
    "bonito.task_types": ",".join(WEIGHTS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quant", default="Q8_0")
    parser.add_argument("--merge-into", choices=("bf16", "nf4"), default="nf4")
    args = parser.parse_args()
    convert(
        args.base,
        args.out,
        adapters=[args.adapter],
        quant=args.quant,
        merge_into=args.merge_into,
        metadata=METADATA,
    )


if __name__ == "__main__":
    main()
