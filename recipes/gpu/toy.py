"""Write what a rehearsal uses: a tiny base as GGUF, data for the mix, a training file.

The folder is the only argument.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
base = "base"
data = "rows.jsonl"
output = "toy"
rank = 4
alpha = 4
batch = 8
steps = 1
micro_tokens = 2048
weights = "base"
share_prompts = true
save_every = 1
"""


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(ROOT / "tests"))
    from small_recipe_data import write
    from tiny_checkpoint import write_checkpoint

    from bonito_local.convert.pipeline import convert

    write_checkpoint(folder / "model", width=64, ffn=128, layers=2)
    convert(folder / "model", folder / "base.gguf", quant="F16")
    data = write(folder / "data")
    passages = {"1": {"CONTEXTS": ["The notice is short.", "It ends in May."]}}
    (data / "eval/pubmedqa").mkdir(parents=True)
    (data / "eval/pubmedqa/ori_pqal.json").write_text(json.dumps(passages))
    (folder / "toy.toml").write_text(CONFIG)
    settings = {"n_seq": 2, "threads": 1, "prefill_threads": 1}
    (folder / "settings.json").write_text(json.dumps(settings))


if __name__ == "__main__":
    main()
