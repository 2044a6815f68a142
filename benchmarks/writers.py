"""Right rows a minute against synthetic-data-kit, with one model on the same passages, in one run.

    python benchmarks/writers.py run DOCUMENTS --model MODEL.gguf --llama-server PATH
        --synthetic-data-kit PATH [--n 3] [--tasks exqa,qa,ynqa] -o OUT
    python benchmarks/writers.py report OUT labels.csv

DOCUMENTS is a folder of text files of one passage each. Ours is `bonito-local generate` with its
defaults, engine included; the peer asks llama.cpp's server, which holds the same file. Both start
with the model loaded from a warm disk, and both are timed from the command to its end.

`run` writes OUT/sheet.jsonl: the rows of both in an order that does not tell whose they are. A
reader writes labels.csv (id,label), where "right" means that the question can be understood
without the page and that the passage answers it as the row does.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("documents", type=Path)
    running.add_argument("--model", type=Path, required=True)
    running.add_argument("--llama-server", type=Path, required=True)
    running.add_argument("--synthetic-data-kit", type=Path, required=True)
    running.add_argument("--n", type=int, default=3, help="rows per passage (ours: and task type)")
    running.add_argument("--tasks", default="exqa,qa,ynqa")
    running.add_argument("-o", "--output", type=Path, required=True)
    reporting = commands.add_parser("report")
    reporting.add_argument("output", type=Path)
    reporting.add_argument("labels", type=Path)
    args = parser.parse_args()
    if args.command == "run":
        run(args)
    else:
        report(args.output, args.labels)


def run(args: argparse.Namespace) -> None:
    """Generate with both, and write the sheet and what each took."""
    shutil.rmtree(args.output, ignore_errors=True)
    args.output.mkdir(parents=True)
    passages = {path.stem: path.read_text() for path in sorted(args.documents.glob("*.txt"))}
    rows: list[dict[str, str]] = []
    seconds = {}
    for name, write in (("synthetic-data-kit", write_peer), ("bonito-local", write_ours)):
        started = time.perf_counter()
        made, spent = write(args, passages)
        seconds[name] = spent or time.perf_counter() - started
        rows += [row | {"writer": name} for row in made]
        print(f"{name}: {len(made)} rows in {seconds[name]:.0f} s", flush=True)
    random.Random(0).shuffle(rows)
    key = {}
    with (args.output / "sheet.jsonl").open("w") as file:
        for row in rows:
            shown = {name: row[name] for name in ("passage", "input", "output")}
            identity = hashlib.sha256(json.dumps(row).encode()).hexdigest()[:10]
            key[identity] = row["writer"]
            print(json.dumps({"id": identity} | shown, ensure_ascii=False), file=file)
    (args.output / "key.json").write_text(json.dumps({"rows": key, "seconds": seconds}))


def write_ours(
    args: argparse.Namespace, passages: dict[str, str]
) -> tuple[list[dict[str, str]], float]:
    """Return the accepted rows of a job, and the seconds of the command."""
    command = [sys.executable, "-m", "bonito_local", "generate", str(args.documents), "--no-tune"]
    command += ["-t", args.tasks, "-m", str(args.model), "--n", str(args.n), "-q"]
    started = time.perf_counter()
    subprocess.run([*command, "-o", str(args.output / "ours")], check=True)
    spent = time.perf_counter() - started
    lines = (args.output / "ours" / "rows.jsonl").read_text().splitlines()
    return [
        {
            "passage": row["passage"],
            "input": row["input"].replace(row["passage"].strip(), "[passage]"),
            "output": row["output"],
        }
        for row in map(json.loads, lines)
    ], spent


def write_peer(
    args: argparse.Namespace, passages: dict[str, str]
) -> tuple[list[dict[str, str]], float]:
    """Return the question-answer pairs of `synthetic-data-kit create`, and its seconds."""
    source, written = args.output / "source", args.output / "peer"
    source.mkdir()
    for name, text in passages.items():
        (source / f"{name}.txt").write_text(text)
    with serving(args.llama_server, args.model) as url:
        config = yaml.safe_load(subprocess.run(
            [args.synthetic_data_kit.parent / "python", "-c", _CONFIG],
            check=True, capture_output=True, text=True,
        ).stdout)  # fmt: skip
        config["api-endpoint"] |= {"api_base": f"{url}/v1", "api_key": "none", "model": "model"}
        (args.output / "peer.yaml").write_text(yaml.safe_dump(config))
        command = [args.synthetic_data_kit, "-c", args.output / "peer.yaml", "create", source]
        command += ["--type", "qa", "--num-pairs", str(args.n), "-o", written]
        started = time.perf_counter()
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        spent = time.perf_counter() - started
    rows = []
    for name in passages:
        path = written / f"{name}_qa_pairs.json"
        if not path.exists():
            continue  # it failed on this one, and said so
        found: Any = json.loads(path.read_text())
        for pair in found.get("qa_pairs", []):
            asked, answered = str(pair.get("question", "")), str(pair.get("answer", ""))
            rows.append({"passage": passages[name], "input": asked, "output": answered})
    return rows, spent


_CONFIG = (
    "import pathlib, synthetic_data_kit as k;"
    "print((pathlib.Path(k.__file__).parent / 'config.yaml').read_text())"
)


@contextmanager
def serving(program: Path, model: Path) -> Iterator[str]:
    """llama.cpp's server with its defaults; yields its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [program, "-m", model, "--port", str(port), "-c", "32768"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit("llama-server ended at once.") from None
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait()


def report(output: Path, labels: Path) -> None:
    """Print rows, right rows and right rows a minute of each writer."""
    key = json.loads((output / "key.json").read_text())
    with labels.open() as file:
        right = {line["id"] for line in csv.DictReader(file) if line["label"].strip() == "right"}
    print("| writer | rows | right | share | seconds | right rows a minute |")
    print("|---|---|---|---|---|---|")
    for writer, spent in key["seconds"].items():
        own = [identity for identity, name in key["rows"].items() if name == writer]
        good = sum(identity in right for identity in own)
        share = good / max(1, len(own))
        print(
            f"| {writer} | {len(own)} | {good} | {share:.0%} | {spent:.0f} "
            f"| {60 * good / spent:.1f} |"
        )


if __name__ == "__main__":
    main()
