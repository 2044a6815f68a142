"""How many of the rows that a model writes are right, read by people who do not know the model.

    python benchmarks/right_rows.py documents --data-dir DATA -o documents
    bonito-local generate documents --task exqa,ynqa --model MODEL -o job    # the defaults
    python benchmarks/right_rows.py sheet job [JOB...] -o sheet.jsonl --rows 200
    python benchmarks/right_rows.py report sheet.jsonl labels.csv

`documents` writes held-out texts: `wikipedia/` (SQuAD dev) and `other/` (reviews, posts, abstracts,
contracts, privacy policies). `sheet` draws rows, as many from each of the two folders and
from each task type, in an order that does not tell the job nor whether they were accepted.
`sheet.jsonl` has what a reader may see; `sheet.key.json` says which row is whose. A reader writes
`labels.csv`: id,label.

    right   the instruction can be understood without the page, and the passage answers it as the
            response does
    wrong   anything else
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

from bonito_local.tasks import parse_completion

PER_SOURCE = {"amazon": 16, "reddit": 16, "pubmedqa": 12, "contracts": 10, "policies": 10}
WIKIPEDIA = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("documents")
    writing.add_argument("--data-dir", type=Path, required=True)
    writing.add_argument("-o", "--output", type=Path, required=True)
    drawing = commands.add_parser("sheet")
    drawing.add_argument("jobs", type=Path, nargs="+")
    drawing.add_argument("-o", "--output", type=Path, required=True)
    drawing.add_argument("--rows", type=int, default=200, help="of each job")
    drawing.add_argument("--dropped", type=int, default=0, help="of each job, that were rejected")
    drawing.add_argument("--seed", type=int, default=0)
    report = commands.add_parser("report")
    report.add_argument("sheet", type=Path)
    report.add_argument("labels", type=Path)
    args = parser.parse_args()
    if args.command == "documents":
        write_documents(args.data_dir, args.output)
    elif args.command == "sheet":
        write_sheet(args.jobs, args.output, args.rows, args.dropped, args.seed)
    else:
        show(args.sheet, args.labels)


def write_documents(data: Path, output: Path) -> None:
    """Write a text file for each document drawn, by a fixed seed."""
    rng = random.Random(20)
    sources = {"wikipedia": WIKIPEDIA} | PER_SOURCE
    for name, count in sources.items():
        folder = output / ("wikipedia" if name == "wikipedia" else "other")
        folder.mkdir(parents=True, exist_ok=True)
        texts = sorted(set(documents(data, name)))
        for at, text in enumerate(rng.sample(texts, count)):
            (folder / f"{name}-{at:02}.txt").write_text(text, encoding="utf-8")


def documents(data: Path, name: str) -> Iterator[str]:
    """Yield the texts of one source, each a paragraph or a few."""
    held = data / "eval"
    if name in ("wikipedia", "amazon", "reddit"):
        file = {
            "wikipedia": data / "train/squad-dev-v1.1.json",
            "amazon": held / "squadshifts/amazon_reviews_v1.0.json",
            "reddit": held / "squadshifts/reddit_v1.0.json",
        }[name]
        for article in json.loads(file.read_text())["data"]:
            yield from (p["context"].strip() for p in article["paragraphs"])
    elif name == "pubmedqa":
        for entry in json.loads((held / "pubmedqa/ori_pqal.json").read_text()).values():
            yield "\n\n".join(entry["CONTEXTS"])
    elif name == "contracts":
        for document in json.loads((held / "contract_nli/dev.json").read_text())["documents"]:
            middle = len(document["text"]) // 2
            start = document["text"].find("\n", middle) + 1
            yield document["text"][start : start + 1200].rsplit(".", 1)[0] + "."
    else:
        for policy in json.loads((held / "policyqa/dev.json").read_text())["data"]:
            contexts = list(dict.fromkeys(p["context"].strip() for p in policy["paragraphs"]))
            for at in range(0, len(contexts) - 3, 3):
                yield "\n\n".join(contexts[at : at + 3])


def attempts(job: Path) -> Iterator[dict[str, Any]]:
    """Yield all rows that a job wrote, whatever became of them, but for those that do not parse."""
    with closing(sqlite3.connect(f"file:{job}/.job/store.sqlite?mode=ro", uri=True)) as db:
        found = db.execute(
            """SELECT d.source, p.text, s.task, w.completion, w.outcome, w.reason
               FROM (SELECT id, completion, outcome, reason FROM samples
                     UNION ALL SELECT sample, completion, outcome, reason FROM earlier) w
               JOIN samples s USING (id) JOIN passages p ON p.id = s.passage
               JOIN documents d ON d.id = p.document
               WHERE w.outcome IN ('accepted', 'rejected') ORDER BY p.hash, s.task, w.completion"""
        )
        for source, passage, task, completion, outcome, reason in found:
            if pair := parse_completion(completion, passage):
                yield {
                    "task_type": task,
                    "passage": passage,
                    "input": pair.instruction,
                    "output": pair.response,
                    "reason": reason if outcome == "rejected" else "",
                    "source": source,
                }


def shown(row: dict[str, Any]) -> dict[str, str]:
    """What a reader sees of a row, under an identity of its own."""
    some = {name: row[name] for name in ("task_type", "passage", "input", "output")}
    some["input"] = some["input"].replace(row["passage"].strip(), "[passage]")
    return {"id": hashlib.sha256(json.dumps(some).encode()).hexdigest()[:12]} | some


def write_sheet(jobs: Sequence[Path], output: Path, count: int, dropped: int, seed: int) -> None:
    """Draw `count` accepted rows of each job and `dropped` others; write the sheet and its key."""
    rng = random.Random(seed)
    drawn: list[dict[str, Any]] = []
    for job in jobs:
        groups: dict[tuple[bool, str, bool], list[dict[str, Any]]] = defaultdict(list)
        for row in attempts(job):
            wikipedia = "/wikipedia/" in row["source"]
            groups[not row["reason"], row["task_type"], wikipedia].append(row | {"job": job.name})
        for accepted, most in ((True, count), (False, dropped)):
            several = [rows for group, rows in groups.items() if group[0] == accepted]
            for rows in several:
                drawn += rng.sample(rows, min(len(rows), most // len(several)))
    rng.shuffle(drawn)
    key = {}
    with output.open("w", encoding="utf-8") as file:
        for row in drawn:
            some = shown(row)
            print(json.dumps(some, ensure_ascii=False), file=file)
            kind = "wikipedia" if "/wikipedia/" in row["source"] else "other"
            key[some["id"]] = [row["job"], row["task_type"], kind, row["reason"]]
    output.with_suffix(".key.json").write_text(json.dumps(key, indent=0))
    print(f"{len(drawn)} rows in {output}")


def read_labels(labels: Path) -> dict[str, bool]:
    """Return by identity whether a reader called a row right."""
    with labels.open() as file:
        return {line["id"]: line["label"].strip() == "right" for line in csv.DictReader(file)}


def show(sheet: Path, labels: Path) -> None:
    """Print the share of right rows among those accepted, by job, task type and documents."""
    key = json.loads(sheet.with_suffix(".key.json").read_text())
    tallies: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for identity, right in read_labels(labels).items():
        job, task, kind, reason = key[identity]
        if reason:
            continue
        for group in product((job,), (task, "all"), (kind, "all")):
            tallies[group].append(right)
    print("| job | task | documents | rows | right | share |\n|---|---|---|---|---|---|")
    for (job, task, kind), rights in sorted(tallies.items()):
        share = sum(rights) / len(rights)
        print(f"| {job} | {task} | {kind} | {len(rights)} | {sum(rights)} | {share:.0%} |")


if __name__ == "__main__":
    main()
