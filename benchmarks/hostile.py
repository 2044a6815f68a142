"""Reads more than 500 hostile and broken documents (tests/hostile.py), one after the other.

    python benchmarks/hostile.py [FAMILY...]

They are read in a process like a job's, with bonito-tiny's tokenizer to split them. For each
family: how many were read, how many reported, how many of those because their reader crashed,
was too slow or took too much memory; the longest wait for a document's first or next passage,
and the longest time for all of them; the peak memory of both processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def main(families: list[str]) -> int:
    from hostile import CANARY, PROSE, all_hostile

    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder, "secret.txt")
        secret.write_text(f"{CANARY} {PROSE}")
        here = Path(folder, "documents")
        here.mkdir()
        found = defaultdict(list)
        with subprocess.Popen(
            [sys.executable, __file__, "--read"], stdin=-1, stdout=-1, text=True, bufsize=1
        ) as job:
            for hostile in all_hostile(str(secret)):
                if families and hostile.family not in families:
                    continue
                path = here / hostile.name
                path.write_bytes(hostile.made())
                job.stdin.write(f"{path}\n")
                line = job.stdout.readline()
                if not line:
                    print(f"The job's process died of {hostile.family} {hostile.name}.")
                    return 1
                result = json.loads(line) | {"name": hostile.name, "bytes": path.stat().st_size}
                found[hostile.family].append(result)
                path.unlink()
                if result["seconds"] > 5 or result["leaked"]:
                    print("  ", hostile.family, json.dumps(result)[:300], flush=True)
            job.stdin.close()
    return _report(found)


def _report(found: dict[str, list[dict]]) -> int:
    columns = (
        "family, documents, read, reported, crashed, too slow, wait s, all s, reader MB, job MB"
    )
    print("| " + columns.replace(", ", " | ") + " |")
    print("|---" * (columns.count(",") + 1) + "|")
    everything = [result for results in found.values() for result in results]
    silent = [r["name"] for r in everything if not r["passages"] and not r["titles"]]
    leaked = [r["name"] for r in everything if r["leaked"]]
    for family, results in [*found.items(), ("all", everything)]:
        titles = [title for result in results for title in result["titles"]]
        cells = [
            family,
            len(results),
            sum(result["passages"] > 0 for result in results),
            sum(bool(result["titles"]) for result in results),
            sum("crashed" in title or "too much memory" in title for title in titles),
            sum("took more" in title for title in titles),
            *(f"{max(result[name] for result in results):.1f}" for name in ("wait", "seconds")),
            *(f"{max(result[name] for result in results):.0f}" for name in ("reader_mb", "job_mb")),
        ]
        print("| " + " | ".join(map(str, cells)) + " |")
    for title, count in Counter(
        title.split(" (")[0] for result in everything for title in result["titles"]
    ).most_common(40):
        print(f"{count:5} {title}")
    print("neither read nor reported:", silent or "none")
    print("held text of another file:", leaked or "none")
    return int(bool(silent or leaked))


def read() -> None:
    """Be the job: read the documents named on standard input."""
    from hostile import CANARY

    from bonito_local import airgap
    from bonito_local.backends.base import Plan
    from bonito_local.backends.registry import open_backend
    from bonito_local.models.catalog import resolve_model
    from bonito_local.passages.reader import read_passages
    from bonito_local.passages.split import Lengths
    from bonito_local.passages.types import Document, Passage

    airgap.enter()
    model = resolve_model("tests/data/bonito-tiny.gguf")
    backend = open_backend("llamacpp", model.path, Plan(model.sha256, 1))
    for line in sys.stdin:
        passages, titles, leaked, wait = 0, [], False, 0.0
        start = last = time.perf_counter()
        with _Peak() as readers:
            path = Path(line.strip())
            document = Document(path, path.name, path.suffix.lower())
            for item in read_passages(document, backend.count_tokens, Lengths(96)):
                now = time.perf_counter()
                wait, last = max(wait, now - last), now
                if isinstance(item, Passage):
                    passages += 1
                    leaked = leaked or CANARY in item.text
                else:
                    titles.append(item.title)
        result = {
            "passages": passages,
            "titles": titles[:8],
            "leaked": leaked,
            "wait": round(wait, 2),
            "seconds": round(time.perf_counter() - start, 2),
            "reader_mb": readers.most / 1e3,
            "job_mb": _kilobytes("self", "VmHWM") / 1e3,
        }
        print(json.dumps(result), flush=True)


class _Peak(threading.Thread):
    """The largest resident memory of this process's children, looked at every 20 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._done = threading.Event()

    def __enter__(self) -> _Peak:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while True:
            for task in Path("/proc/self/task").iterdir():
                with suppress(OSError):  # a thread may have ended
                    for child in (task / "children").read_text().split():
                        self.most = max(self.most, _kilobytes(child, "VmRSS"))
            if self._done.wait(0.02):
                return


def _kilobytes(pid: str, name: str) -> int:
    try:
        lines = Path("/proc", pid, "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


if __name__ == "__main__":
    if "--read" in sys.argv:
        read()
    else:
        sys.exit(main(sys.argv[1:]))
