"""Merges the adapter into its base and writes bonito-small as GGUF, by the product's convert."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonito_local.convert.pipeline import convert

METADATA: dict[str, str | int] = {
    "general.name": "bonito-small",
    "general.license": "cc-by-sa-4.0",
    "bonito.writer": "evidence",  # the form of its prompts and outputs: see outputs.py
    "bonito.passage_tokens": 200,  # one in twenty of the passages it was trained on is longer
    # qg is put together from exqa. Of its statements and summaries under half are right.
    "bonito.task_types": "exqa,qg,ynqa,mcqa,qa",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--imatrix", type=Path)
    parser.add_argument("--quant", default="Q5_0")
    parser.add_argument("--token-embedding-type", default="Q5_0")
    args = parser.parse_args()
    convert(
        args.base,
        args.out,
        adapters=[args.adapter],
        quant=args.quant,
        token_embedding_type=args.token_embedding_type,
        imatrix=args.imatrix,
        metadata=METADATA,
    )


if __name__ == "__main__":
    main()
