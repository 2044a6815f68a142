"""Rows per second against llama-cpp-python, llama-server, vLLM and transformers, in one run.

    python benchmarks/generate.py make --tokenizer tokenizer.model --work FOLDER [--quant Q4_K_M]
    python benchmarks/generate.py run --model FOLDER/Q4_K_M.gguf --passages ori_pqal.json \\
        [--llama-server PATH] [--rows 96] [--rounds 2] [--n 1] [--settings SETTINGS.json]

`make` writes a Mistral-7B-shaped model with random weights (4 layers, 1.13 B parameters), and
with `--layers 32` one of the real size by repeating those; `--tokenizer` may name a checkpoint
instead. `run` draws rows about PubMedQA's abstracts with every engine in turn, each as its users
would, and does so `--rounds` times.

All engines draw the same numbers of tokens for the same prompts: random weights never end a
text by themselves, so a row's length is set, from the distribution of real rows. Engines that
are slow answer fewer rows, as `share` says; none is measured while another runs. The ceiling is
every token, read or written, at the best rate at which this engine reads prompts.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import peers

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.measuring import Mix, describe
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.llamacpp.tuning import tune
from bonito_local.tasks import format_prompt, task_type

# Deciles of completions' lengths in the recipe's task mix, in Mistral's tokens, x 1.34: a mean
# of 64, for rows of a model that writes more than a small one.
LENGTHS = (38, 48, 52, 57, 61, 65, 69, 74, 82, 95)

OURS = "bonito-local"


@dataclass(frozen=True)
class Result:
    """One engine's run: rows, seconds, and seconds of both threads' processor time."""

    engine: str
    rows: int
    seconds: float
    processor: float
    prompt_tokens: int = 0
    completion_tokens: int = 0
    python_share: float | None = None

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


def load_work(path: Path, rows: int, n: int, seed: int = 0) -> list[peers.Work]:
    """Prompts about PubMedQA's abstracts in Bonito's format, and how many tokens each draws."""
    rng = random.Random(seed)
    abstracts = [" ".join(entry["CONTEXTS"]) for entry in json.loads(path.read_text()).values()]
    rng.shuffle(abstracts)
    task = task_type("ynqa")
    return [
        peers.Work(
            format_prompt(task, abstracts[i % len(abstracts)]),
            (rng.choice(LENGTHS),) * n,
        )
        for i in range(-(-rows // n))
    ]


def ours(model: Path, settings: Settings, work: list[peers.Work]) -> Result:
    """This project's engine, loaded beforehand, as are the others."""

    def requests() -> Iterator[Request]:
        for i, item in enumerate(work):
            sampling = Sampling(len(item.lengths), max_tokens=item.lengths[0])
            samples = tuple(Sample(j, 1000 * i + j) for j in range(len(item.lengths)))
            yield Request(str(i), item.prompt, sampling, samples)

    with closing(LlamaCpp(model, settings)) as engine:
        watch = peers.Stopwatch()
        rows = sum(1 for _ in engine.generate(requests()))
        seconds, processor = watch.read()
        stats = engine.stats
        computing = stats.prefill_seconds + stats.decode_seconds + stats.sample_seconds
        return Result(
            OURS,
            rows,
            seconds,
            processor,
            stats.prompt_tokens,
            stats.completion_tokens,
            1 - computing / stats.seconds,
        )


def run(args: argparse.Namespace) -> None:
    work = load_work(args.passages, args.rows, args.n)
    mean = statistics.mean(length for item in work for length in item.lengths)
    with closing(LlamaCpp(args.model)) as engine:
        prompt = statistics.mean(engine.count_tokens(item.prompt) + 1 for item in work)
    mix = Mix(round(prompt), round(mean), args.n)
    if args.settings:
        chosen = Settings(**json.loads(args.settings.read_text()))
        reading = args.reading
    else:
        started = time.monotonic()
        tuning = tune(args.model, mix, notify=say)
        say(f"tuned in {time.monotonic() - started:.0f} s: {describe(tuning.best)}")
        chosen, reading = tuning.best.settings, max(m.prefill for m in tuning.tried)
    say(f"{mix}; settings {json.dumps(asdict(chosen))}")
    ceiling = reading / (prompt / args.n + mean)

    def server(name: str, share: float, parallel: int, *flags: str) -> tuple[float, Engine]:
        command = [args.llama_server, "-m", args.model, "-np", parallel, *flags]
        return share, lambda w: Result(name, *peers.llama_server(command, parallel, w))

    engines: dict[str, tuple[float, Engine]] = {
        OURS: (1, lambda w: ours(args.model, chosen, w)),
        "create_completion": (
            0.1,
            lambda w: Result("create_completion", *peers.create_completion(args.model, w)),
        ),
    }
    if args.llama_server:
        for count in (8, 32):
            name = f"llama-server -np {count}"
            engines[name] = server(name, 0.2 if count == 8 else 0.5, count)
        flags = [] if chosen.repack else ["--no-repack"]
        flags += ["-ub", chosen.ubatch, "-fa", "on" if chosen.flash_attention else "off"]
        flags += ["-ctk", chosen.cache, "-ctv", chosen.cache, "-t", chosen.threads]
        name = f"llama-server -np {chosen.n_seq}, our settings"
        engines[name] = server(name, 0.8, chosen.n_seq, *map(str, flags))
    if args.vllm_python:
        engines["vLLM (CPU, bf16)"] = (
            0.35,
            lambda w: Result(
                "vllm", *peers.scripted(args.vllm_python, peers.VLLM, args.checkpoint, w)
            ),
        )
    if args.transformers:
        python = Path(sys.executable)
        engines["transformers (bf16)"] = (
            0.17,
            lambda w: Result(
                "transformers", *peers.scripted(python, peers.TRANSFORMERS, args.checkpoint, w)
            ),
        )
    if args.only:
        engines = {name: engines[name] for name in engines if name == OURS or args.only in name}
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for turn in range(args.rounds):
        for name, (share, engine) in engines.items():
            part = work[: max(1, round(share * len(work)))]
            result = engine(part)
            rates[name].append(result.rate)
            say(f"round {turn + 1}: {json.dumps(asdict(result) | {'rate': result.rate})}")
    table(rates, ceiling)


Engine = Callable[[list[peers.Work]], Result]


def table(rates: dict[str, list[float]], ceiling: float) -> None:
    """Medians, and the median of the ratios of paired runs."""
    mine = rates[OURS]
    print(f"\nceiling {ceiling:.3f} rows/s\n\n| engine | rows/s | of the ceiling | ours is |")
    print("|---|---|---|---|")
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(mine, found, strict=True))
        rate = statistics.median(found)
        print(f"| {name} | {rate:.3f} | {rate / ceiling:.0%} | {ratio:.2f} x |", flush=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("make")
    make.add_argument("--tokenizer", type=Path, required=True)
    make.add_argument("--work", type=Path, required=True)
    make.add_argument("--quant", default="Q4_K_M")
    make.add_argument("--layers", type=int, default=4)
    make.set_defaults(
        run=lambda args: peers.make(args.tokenizer, args.work, args.quant, args.layers)
    )
    go = commands.add_parser("run")
    go.add_argument("--model", type=Path, required=True)
    go.add_argument("--passages", type=Path, required=True)
    go.add_argument("--llama-server", type=Path)
    go.add_argument("--vllm-python", type=Path, help="Python of an environment with vLLM")
    go.add_argument("--transformers", action="store_true")
    go.add_argument("--checkpoint", type=Path, help="what vLLM and transformers load")
    go.add_argument("--rows", type=int, default=96)
    go.add_argument("--rounds", type=int, default=2)
    go.add_argument("--n", type=int, default=1, help="rows of each passage")
    go.add_argument("--settings", type=Path, help="JSON, instead of tuning")
    go.add_argument("--only", help="of the peers, those whose name holds this")
    go.add_argument("--reading", type=float, help="best prefill rate, with --settings")
    go.set_defaults(run=run)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
