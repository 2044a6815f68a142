"""Whether a job's cost grows in step with its rows, and its memory not at all.

    python benchmarks/growth.py [--model FILE.gguf] [--rows 100,1000,10000]

Each size is a job of its own through the command line, on passages made of the words of this
repository's example documents, one row a passage. Loading is in the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tests/data/bonito-tiny.gguf")
    parser.add_argument("--rows", default="100,1000,10000")
    parser.add_argument("--max-tokens", default="32")
    args = parser.parse_args()
    words = " ".join(
        path.read_text(encoding="utf-8")
        for path in sorted(Path("examples/documents").rglob("*"))
        if path.suffix in (".txt", ".md")
    ).split()
    print("| rows | seconds | ms a row | peak memory, MB |\n|---|---|---|---|")
    for rows in map(int, args.rows.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "passages.jsonl"
            rng = random.Random(rows)
            with source.open("w", encoding="utf-8") as file:
                for _ in range(rows):
                    at = rng.randrange(len(words) - 50)
                    mixed = rng.sample(words[at : at + 50], 50)
                    file.write(json.dumps({"text": f"{' '.join(mixed)}."}) + "\n")
            command = [sys.executable, "-m", "bonito_local", "generate", source, "--task", "ynqa"]
            command += ["--model", args.model, "--max-tokens", args.max_tokens, "--no-tune"]
            started = time.perf_counter()
            process = subprocess.Popen(
                [*map(str, command), "-o", f"{folder}/out"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            ledger = json.loads(Path(folder, "out/ledger.json").read_text())
        if status or ledger["outcomes"]["pending"]:
            sys.exit(f"{rows} rows: status {status}, ledger {ledger}")
        rows = ledger["planned"]  # of some texts of mixed words, two passages
        memory = usage.ru_maxrss / 1024
        print(
            f"| {rows} | {seconds:.1f} | {1000 * seconds / rows:.1f} | {memory:.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
