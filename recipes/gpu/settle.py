"""Try a training run for some steps, and set its `steps` to what fits in a time.

    python settle.py CONFIG.toml --record FILE [--trial 40] [--weights nf4]
    python settle.py CONFIG.toml --record FILE --until 500 --started 80 --most 360

The learning rate falls to zero over `steps`: a run that is cut short has not learnt what a shorter
one would have. So the steps are chosen beforehand, by the speed that this machine reaches. The
second form writes them into CONFIG, at most twice as many as are in it, and leaves the rows'
tokens to the run. `--until` and `--started` are seconds of the caller's clock.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bonito_local.training.config import TrainConfig, read_config
from bonito_local.training.run import TOKENS, Progress, train
from bonito_local.training.watch import read_log

_MARGIN = 1.05  # later steps meet shapes that the trial did not


def run_trial(config: TrainConfig, steps: int) -> dict[str, Any]:
    """Take so many steps; return speed, loss and memory. The first quarter is not timed."""
    stamps: list[float] = []

    def notify(progress: Progress) -> None:
        if progress.phase == "training":
            stamps.append(time.perf_counter())

    shutil.rmtree(config.output, ignore_errors=True)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    config = replace(config, steps=max(config.steps, steps + 1), save_every=1 << 30)
    ended = train(config, notify=notify, stop=lambda: len(stamps) >= steps - 1)
    skipped = steps // 4
    each = (stamps[-1] - stamps[skipped]) / (len(stamps) - 1 - skipped)
    tokens = read_log(config.output)[-1]["tokens"] / ended.step
    memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return {
        "weights": config.weights,
        "trial_steps": ended.step,
        "seconds_per_step": round(each, 4),
        "tokens_per_step": round(tokens),
        "tokens_per_second": round(tokens / each),
        "rows_per_second": round(config.batch / each, 1),
        "loss": round(ended.loss, 4),
        "memory_gb": round(memory / 1e9, 1),
    }


def fitting_steps(found: dict[str, Any], seconds: float, most: int) -> int:
    """Return how many steps fit, at least one."""
    return max(1, min(most, int(seconds / (_MARGIN * found["seconds_per_step"]))))


def main() -> None:
    begun = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--trial", type=int, default=40)
    parser.add_argument("--weights", choices=("nf4", "bf16", "base"))
    parser.add_argument("--until", type=float)
    parser.add_argument("--started", type=float, default=0)
    parser.add_argument("--most", type=float, default=360)
    args = parser.parse_args()
    config = read_config("bonito", args.config)
    if args.weights:
        config = replace(config, weights=args.weights)
    output = config.output
    trial = replace(config, output=output.with_name(f"{output.name}-trial"))
    found = run_trial(trial, max(2, args.trial))
    if args.until is not None:
        left = args.until - args.started - (time.monotonic() - begun)
        steps = fitting_steps(found, min(left, args.most), 2 * config.steps)
        text, count = re.subn(r"(?m)^steps = \d+", f"steps = {steps}", args.config.read_text())
        if count != 1:
            raise SystemExit(f"{args.config} has no line that begins with `steps = `.")
        args.config.write_text(text)
        found |= {"steps": steps, "seconds": round(steps * found["seconds_per_step"])}
        output.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(output / TOKENS, ignore_errors=True)
        (trial.output / TOKENS).rename(output / TOKENS)
    shutil.rmtree(trial.output)
    args.record.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
