"""Documents to text: pages a second and text kept, beside markitdown; memory over many documents.

    python benchmarks/ingest.py PEERS_PYTHON [--documents FOLDER] [--most 12] [--rounds 3]
    python benchmarks/ingest.py PEERS_PYTHON --fidelity FOLDER
    python benchmarks/ingest.py --memory 10000

PEERS_PYTHON is the Python of an environment that ingest_files.py describes. Each Markdown file of
FOLDER becomes a document in 11 formats, with running headers, page numbers, hyphens, a menu or a
signature where the format has such. A page is 500 words of the known text. Both read
the same files in turn, each in one process that is warm: bonito-local's is the confined reader of
a job, and what it sends back is counted. Seconds are of the processor, all processes together,
since other programs may run beside. Texts are compared with the known one as words: F1 of all
words, and of all runs of five words, which broken lines, headers and hyphens cut.

--fidelity compares the raw text of the real documents in FOLDER with what both make of it, per
document and per kind (ingest_fidelity.py). PEERS_PYTHON may be left out there.

--memory plans a job over so many generated documents, and reports the resident memory of the
job and of its readers as it goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ingest_fidelity import fidelity

from bonito_local.passages.ahead import opened
from bonito_local.passages.markdown import markdown_blocks
from bonito_local.passages.process import Readers
from bonito_local.passages.types import Document, ReadOptions, Text

FILES = Path(__file__).with_name("ingest_files.py")
KINDS = (".txt", ".md", ".html", ".docx", ".pdf", ".pptx", ".xlsx", ".epub", ".odt", ".rtf", ".eml")
NOT_THEIRS = (".odt", ".rtf", ".eml")  # markitdown does not read them
WORDS_A_PAGE = 500
TIMES = 8  # that we read the files in a round: the clock of processor time is coarse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", nargs="?", type=Path)
    parser.add_argument("--documents", type=Path, default=Path("examples/sources"))
    parser.add_argument("--most", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int)
    parser.add_argument("--fidelity", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.fidelity:
            fidelity(args.fidelity, args.peers, FILES)
        elif args.memory:
            memory(Path(folder), args.memory)
        else:
            compare(args.peers, args.documents, args.most, args.rounds, Path(folder))


def compare(peers: Path, documents: Path, most: int, rounds: int, folder: Path) -> None:
    known = sources(documents, most)
    (folder / "known.json").write_text(json.dumps(known))
    made = folder / "made"
    made.mkdir()
    subprocess.run([peers, FILES, "make", folder / "known.json", made], check=True)
    texts = {name: "\n\n".join(text for _, text in blocks) for name, blocks in known.items()}
    pages = sum(len(words(text)) for text in texts.values()) / WORDS_A_PAGE
    print(f"{len(known)} texts, {pages:.0f} pages of {WORDS_A_PAGE} words\n")
    columns = "format, ours pages/s, markitdown pages/s, ratio, ours F1, markitdown F1"
    print(f"| {', '.join([columns, 'ours F1 of 5, markitdown F1 of 5']).replace(', ', ' | ')} |")
    print("|---" * 8 + "|")
    ratios, readers = [], Readers()
    with subprocess.Popen(
        [peers, FILES, "convert", "1"], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True
    ) as peer:
        for kind in KINDS:
            paths = sorted(made.glob(f"*{kind}"))
            times: dict[str, list[float]] = defaultdict(list)
            for round_ in range(rounds + 1):  # the first warms both up
                seconds, ours = read(paths, readers)
                theirs: dict[str, str] = {}
                if kind not in NOT_THEIRS:
                    peer.stdin.write(json.dumps([str(path) for path in paths]) + "\n")
                    peer.stdin.flush()
                    peers_seconds, theirs = json.loads(peer.stdout.readline())
                    times["theirs"] += [peers_seconds] * bool(round_)
                times["ours"] += [seconds] * bool(round_)
            speed = {who: pages / statistics.median(taken) for who, taken in times.items()}
            if theirs:
                ratios.append(speed["ours"] / speed["theirs"])
            cells = [kind, f"{speed['ours']:.0f}", f"{speed.get('theirs', 0):.0f}"]
            cells.append(f"{speed['ours'] / speed['theirs']:.1f}" if theirs else "")
            for n in (1, 5):
                cells += [f"{quality(found, texts, n):.4f}" for found in (ours, theirs)]
            print("| " + " | ".join(cells) + " |", flush=True)
        peer.stdin.close()
    print(f"\nratio of pages/s: {statistics.geometric_mean(ratios):.1f} (geometric mean)")


def sources(folder: Path, most: int) -> dict[str, list[tuple[int, str]]]:
    """The longest Markdown files of a folder, as headings and paragraphs without tables."""
    paths = sorted(folder.rglob("*.md"), key=lambda path: -path.stat().st_size)[:most]
    found = {}
    for path in paths:
        blocks = markdown_blocks(path.read_text(encoding="utf-8"))
        kept = [(min(block.level, 6), block.text) for block in blocks]
        # Latin-1 alone: what the PDF's font has.
        found[path.stem] = [(n, t.encode("latin-1", "ignore").decode("latin-1")) for n, t in kept]
    return found


def read(paths: Sequence[Path], readers: Readers) -> tuple[float, dict[str, str]]:
    """Processor seconds and texts, through one reader process that is kept."""
    texts: dict[str, str] = {}
    started = spent()
    for path in list(paths) * TIMES:
        items = opened(Document(path, path.name, path.suffix), ReadOptions(), readers)
        texts[str(path)] = "\n".join(item.text for item in items if isinstance(item, Text))
    return (spent() - started) / TIMES, texts


def spent() -> float:
    """Processor seconds of this process and of its children that run."""
    ticks = 0
    for child in children():
        fields = Path("/proc", child, "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def quality(found: dict[str, str], texts: dict[str, str], n: int) -> float:
    """F1 of runs of n words over all documents."""
    both = kept = held = 0
    for path, text in found.items():
        one, other = (Counter(runs(words(t), n)) for t in (text, texts[Path(path).stem]))
        both += (one & other).total()
        kept, held = kept + one.total(), held + other.total()
    return 2 * both / (kept + held) if found else 0.0


def runs(all_words: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(all_words[i:] for i in range(n)), strict=False)


def memory(folder: Path, count: int) -> None:
    """Plan a job over `count` small documents in eight formats."""
    from bonito_local.backends.base import Plan, Sampling
    from bonito_local.backends.registry import open_backend
    from bonito_local.jobs.folder import open_job
    from bonito_local.jobs.planning import plan, read_documents
    from bonito_local.jobs.spec import JobSpec
    from bonito_local.models.catalog import resolve_model
    from bonito_local.tasks import task_type

    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from hostile import bases

    kinds = (".pdf", ".docx", ".pptx", ".odt", ".html", ".eml", ".md", ".txt")
    files = sorted(Path("examples/sources").glob("*.md"))
    paragraphs = "\n\n".join(path.read_text(encoding="utf-8") for path in files).split("\n\n")
    known = [text for text in paragraphs if len(text) > 200]
    base = bases()
    documents = folder / "documents"
    for at in range(count):
        kind = kinds[at % len(kinds)]
        text = f"Document {at}. {known[at % len(known)]} {known[(at * 7 + at // 50) % len(known)]}"
        path = documents / f"{at // 1000:03}" / f"{at}{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode() if kind in (".md", ".txt") else base[kind]
        path.write_bytes(data.replace(b"</p>", f"{text}</p>".encode()) if kind == ".html" else data)
    model = resolve_model("tests/data/bonito-tiny.gguf")
    backend = open_backend("llamacpp", model.path, Plan(model.sha256, 1))
    spec = JobSpec((task_type("exqa"),), Sampling(), model.name, model.sha256, "llamacpp", 96)
    print("| documents planned | passages | job, MB | readers, MB |\n|---|---|---|---|")
    started, sizes, seen = time.perf_counter(), list[tuple[float, float]](), 0
    with open_job(folder / "out") as store:

        def noted() -> Iterator:
            nonlocal seen
            for item in read_documents(store, (documents,), backend.count_tokens, spec):
                yield item
                if type(item).__name__ == "Finished":
                    seen += 1
                    if seen % (count // 10) == 0:
                        sizes.append((resident("self"), sum(map(resident, children()))))
                        row = f"{sizes[-1][0]:.0f} | {sizes[-1][1]:.0f}"
                        print(f"| {seen} | {store.passage_count()} | {row} |", flush=True)

        plan(store, spec, noted())
    print(f"\n{seen} documents in {time.perf_counter() - started:.0f} s")


def children() -> list[str]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found += (task / "children").read_text().split()
    return found


def resident(pid: str) -> float:
    with suppress(OSError):
        for line in Path("/proc", pid, "status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1e3
    return 0.0


if __name__ == "__main__":
    main()
