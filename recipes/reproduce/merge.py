"""Writes a checkpoint of the base and an adapter: merged into the NF4 base it was trained on.

An adapter beside its base costs an evaluation twice the time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from bonito_local.training.model import hold_decoded, load_base


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    decoded = load_base(args.base, "cpu")
    hold_decoded(decoded)
    merged = PeftModel.from_pretrained(decoded, args.adapter).merge_and_unload()
    # A model of its own: the other one's config says that it is quantized.
    plain = AutoModelForCausalLM.from_pretrained(
        args.base, dtype=torch.bfloat16, local_files_only=True
    )
    plain.load_state_dict(merged.state_dict())
    plain.save_pretrained(args.out)
    AutoTokenizer.from_pretrained(args.base, local_files_only=True).save_pretrained(args.out)


if __name__ == "__main__":
    main()
