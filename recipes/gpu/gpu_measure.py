"""Measure the project on a GPU, step by step, within a time.

    python gpu_measure.py WORK OUT --seconds 280 [--only tests,generate]

Run it in WORK/sources. OUT/second.md and OUT/second.json are written anew after every step. Steps
that need llama.cpp with CUDA wait for its build while others run; a step that would not fit in the
time that is left is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

HERE = Path(__file__).resolve().parent
REHEARSAL = bool(os.environ.get("REHEARSAL"))
_SHORT = 20_000  # rows of the trials


@dataclass(frozen=True, slots=True)
class Step:
    """Commands run one after another, and how to read what they print.

    Attributes:
        seconds: what it takes at least, as estimated; it is not begun with less time left.
        built: needs llama.cpp's build.
    """

    name: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    seconds: int
    built: bool
    read: Callable[[str], dict[str, str]]


@dataclass(slots=True)
class Result:
    """How a step ended: `status` is done, failed, out of time, or why it was left out."""

    step: str
    title: str
    status: str
    seconds: float = 0.0
    values: dict[str, str] = field(default_factory=dict)


def steps(work: Path) -> list[Step]:
    """Return all steps, the most telling first."""
    python, small = sys.executable, REHEARSAL
    base, gguf, passages = work / "base", work / "kit/base.gguf", work / "kit/passages.json"
    generate = ("benchmarks/generate.py", "run", "--passages", str(passages), "--rounds", "1")
    untuned = ("--settings", str(work / "settings.json"), "--reading", "1000")
    drawn = (*generate, "--model", str(gguf), "--rows", *(("2", *untuned) if small else ("1024",)))
    peers = () if small else ("--transformers", "--checkpoint", str(base))
    seven = work / "seven"
    make = ("make", "--tokenizer", str(base), "--work", str(seven), "--layers", "32")
    big = ("--model", str(seven / "Q4_K_M-32.gguf"), "--rows", "512")
    trainer = ("benchmarks/train.py", "--rounds", "1", "--steps", "11", "--shape")

    def script(*arguments: str) -> tuple[str, ...]:
        return (python, "-P", *arguments) if arguments[0] == "-m" else (python, *arguments)

    trials = tuple(
        script(
            *(str(HERE / "settle.py"), str(work / "trial.toml"), "--weights", weights),
            *("--record", str(work / f"trial-{weights}.json"), "--trial", "2" if small else "30"),
        )
        for weights in (("nf4",) if small else ("nf4", "bf16", "base"))
    )
    # Warnings of other releases of the libraries than the pinned ones are no errors here.
    tests = script(
        *("-m", "pytest", "-q", "-W", "default", "-m", "gpu", "tests/training/test_gpu.py")
    )
    found = [
        Step("tests", "tests marked `gpu`", (tests,), 45, True, read_tests),
        Step("generate", "rows/s, 135M base", (script(*drawn, *peers),), 40, True, read_generate),
        Step("weights", "training by how weights are held", trials, 60, False, read_trials),
        Step(
            "train",
            "trainer beside transformers' Trainer, Mistral-7B's shape with 4 layers",
            (script(*trainer, "toy" if small else "mistral4"),),
            60,
            False,
            read_train,
        ),
        Step(
            "generate-7b",
            "rows/s, Mistral-7B's shape, Q4_K_M",
            (script("benchmarks/generate.py", *make), script(*generate, *big)),
            90,
            True,
            read_generate,
        ),
        Step(
            "train-small",
            "trainer beside transformers' Trainer, the 135M base's shape",
            (script(*trainer, "small"),),
            90,
            False,
            read_train,
        ),
    ]
    too_large = ("generate-7b", "train-small") if small else ()
    return [step for step in found if step.name not in too_large]


def read_tests(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if re.search(r"\d+ (passed|failed|skipped)", line)]
    return {"tests": lines[-1].strip("= ")} if lines else {}


def read_trials(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        if line.startswith('{"weights"'):
            trial = json.loads(line)
            found[trial["weights"]] = (
                f"{trial['tokens_per_second']:,} tokens/s, {trial['rows_per_second']:,} rows/s, "
                f"{trial['memory_gb']} GB, loss {trial['loss']} after {trial['trial_steps']} steps"
            )
    return found


def read_train(text: str) -> dict[str, str]:
    found = {}
    if speeds := re.search(r"round 1: tokens a \w+ second (.*); ratio (.*)", text):
        found = {"tokens/s": speeds[1], "ratio": speeds[2]}
    if difference := re.search(r"largest difference (.*)", text):
        found["largest difference of losses"] = difference[1]
    if share := re.search(r"([\d.]+) TFLOP/s; Trainer's memory (\d+)", text):
        found["TFLOP/s"] = share[1]
        found["Trainer's memory, GB"] = f"{int(share[2]) / 1e9:.1f}"
    return found


def read_generate(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 4 and cells[0] != "engine":
            found[cells[0]] = f"{cells[1]} rows/s, {cells[2]} of the ceiling, ours is {cells[3]}"
    if tuned := re.search(r"tuned in .*", text):
        found["settings"] = tuned[0]
    return found


def run(step: Step, deadline: float, log: Path) -> Result:
    """Run a step's commands; its output goes into the log."""
    result, begun = Result(step.name, step.title, "done"), time.monotonic()
    with log.open("w") as file:
        for command in step.commands:
            try:
                left = max(1.0, deadline - time.monotonic())
                done = subprocess.run(
                    command, stdout=file, stderr=subprocess.STDOUT, timeout=left, check=False
                )
            except subprocess.TimeoutExpired:
                result.status = "out of time"
                break
            if done.returncode:
                result.status = f"failed with status {done.returncode}: see logs/{log.name}"
                break
    result.seconds = round(time.monotonic() - begun, 1)
    result.values = step.read(log.read_text(errors="replace"))
    return result


def markdown(results: list[Result], machine: dict[str, object]) -> str:
    """Return the results as one table."""
    lines = [
        f"{machine.get('gpu', '')}; {machine.get('processors', '')} processors.",
        "",
        "| what | how it ended | seconds | measured | value |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        values = result.values or {"": ""}
        for number, (name, value) in enumerate(values.items()):
            seconds = f"{result.seconds:.0f}" if result.seconds else ""
            first = (result.title, result.status, seconds)
            cells = (*(first if number == 0 else ("", "", "")), name, value)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def prepare(work: Path) -> None:
    """Write fewer rows for the trials, and the training file that names them."""
    with (work / "rows.jsonl").open() as rows, (work / "rows-short.jsonl").open("w") as short:
        short.writelines(islice(rows, _SHORT))
    config = next(path for path in (work / "bonito-small.toml", work / "toy.toml") if path.exists())
    text = re.sub(r'(?m)^data = ".*"', 'data = "rows-short.jsonl"', config.read_text())
    (work / "trial.toml").write_text(re.sub(r'(?m)^output = ".*"', 'output = "trial"', text))


def choose(pending: list[Step], work: Path, left: float) -> Step | str | None:
    """Return the step to run now, why the first of them is left out, or None to wait."""
    built, failed = (work / "llama").is_dir(), (work / "build.failed").exists()
    first = pending[0]
    if first.built and failed:
        return "left out: the build of llama.cpp failed, see logs/build.log"
    ready = [step for step in pending if built or not step.built]
    if fitting := [step for step in ready if step.seconds <= left]:
        return fitting[0]
    if first.seconds > left:
        return f"left out: {left:.0f} s were left"
    return None


def main() -> None:
    begun = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=280)
    parser.add_argument("--only", default="", help="names of steps, with commas")
    args = parser.parse_args()
    work, deadline = args.work.resolve(), begun + args.seconds
    prepare(work)
    pending = [s for s in steps(work) if not args.only or s.name in args.only.split(",")]
    machine = json.loads((work / "preflight.json").read_text())
    results: list[Result] = []
    while pending:
        chosen = choose(pending, work, deadline - time.monotonic())
        if chosen is None:
            time.sleep(0.5)
            continue
        if isinstance(chosen, str):
            step = pending.pop(0)
            result = Result(step.name, step.title, chosen)
        else:
            pending.remove(chosen)
            print(f"{time.monotonic() - begun:.0f} s: {chosen.title}", flush=True)
            result = run(chosen, deadline, work / "logs" / f"{chosen.name}.log")
        results.append(result)
        record = {"machine": machine, "results": [asdict(one) for one in results]}
        (args.out / "second.json").write_text(json.dumps(record, indent=1) + "\n")
        (args.out / "second.md").write_text(markdown(results, machine))
    print(markdown(results, machine))


if __name__ == "__main__":
    main()
