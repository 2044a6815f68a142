"""What an export takes: seconds, and memory at its peak, for each format and number of rows.

    python benchmarks/exports.py [ROWS ...]      default 20000 and 200000

Each is a process of its own; rows come one by one, as from a job's store. Memory that does
not grow with the rows is the point: compare the columns.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from bonito_local.exports.account import Account, Made
from bonito_local.exports.dataset import write_dataset
from bonito_local.exports.formats import FORMATS, find_format
from bonito_local.exports.preferences import preference
from bonito_local.exports.row import Row
from bonito_local.exports.splits import Split

PASSAGE = "The tenant shall give the landlord thirty days' written notice of every fault. " * 8


def rows(count: int) -> Iterator[Row]:
    usual = {field.name: "" for field in fields(Row)}
    for at in range(count):
        yield Row(
            **usual
            | {
                "id": f"{at:016x}-exqa-0",
                "input": f"{PASSAGE}\n\nWho gives notice number {at}?",
                "output": f"the tenant of flat {at}",
                "task_type": ("exqa", "ynqa", "summarization")[at % 3],
                "passage": PASSAGE,
                "source": f"lease-{at // 50}.pdf",
                "source_sha256": f"{at // 50:064x}",
                "page": at % 50,
                "start": 0,
                "end": len(PASSAGE),
                "temperature": 0.5,
                "top_p": 0.95,
                "max_tokens": 256,
                "seed": at,
                "sample": 0,
                "edited": False,
                "score": None,
            }  # type: ignore[arg-type]
        )


def one(form: str, count: int) -> None:
    """Export in this process, and print what it took as JSON."""
    outcomes = dict.fromkeys(("accepted", "rejected", "duplicate"), 0)
    said = Account("bench", {}, (), {"planned": 0, "outcomes": outcomes, "reasons": []})
    found = rows(count)
    if find_format(form).compares:
        found = (preference(row, rejected="the landlord", origin="another row") for row in found)
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        write_dataset(Path(folder), found, said, Made(form, Split((90, 5, 5))))
        seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps([seconds, peak]))


def main(counts: list[int]) -> None:
    print(f"{'format':18}" + "".join(f"{n:>12,} rows" for n in counts))
    for form in FORMATS:
        told = []
        for count in counts:
            command = [sys.executable, __file__, form.name, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, peak = json.loads(done.stdout)
            told.append(f"{seconds:7.1f} s {peak:4.0f} MB")
        print(f"{form.name:18}" + "".join(f"{text:>17}" for text in told), flush=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments and not arguments[0].isdecimal():
        one(arguments[0], int(arguments[1]))
    else:
        main([int(n) for n in arguments] or [20_000, 200_000])
