"""How much of real documents arrives: runs of five words of the raw text and of what readers make.

Called by ingest.py --fidelity. The raw text is read another way: a PDF's as ingest_fidelity_pdf.py
says, that of office documents as ingest_fidelity_office.py does. Tables are written as plain rows
here, since the names of columns that passages repeat on every row are no fault. The share of a
document in a mean does not depend on its length; documents of fewer than 50 words to be read (a
PDF's that are seen, and stand in no table of contents) are passed over.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from ingest_fidelity_office import Raw, raw_odt, raw_sheets, raw_slides, raw_word
from ingest_fidelity_pdf import raw_pdf
from ingest_fidelity_plain import plain_office, undecorated, without_numbers

from bonito_local.errors import DocumentError
from bonito_local.passages import pdf
from bonito_local.passages.completeness import words_of_text
from bonito_local.passages.documents import read_text
from bonito_local.passages.notes import Notes

LEAST_WORDS = 50
LOW = 0.9


def fidelity(folder: Path, peers: Path | None, files: Path) -> None:
    """Print F1 for each document of a folder, and a line for each kind."""
    pdf.rows_as_prose = _plain_rows
    plain_office()
    raws: dict[Path, Raw] = {}
    for path in sorted(folder.rglob("*")):
        raw = RAW[path.suffix](path) if path.suffix in RAW else None
        if raw and len(_compared(raw[0][-1], path).split()) >= LEAST_WORDS:
            raws[path] = raw
    theirs, peer_seconds = _theirs(list(raws), peers, files) if peers else ({}, {})
    print("| document | pages | words | ours F1 of 5 | markitdown | problems |\n|" + "---|" * 6)
    rows: dict[str, list[tuple[float, float, bool]]] = {}
    seconds: Counter[str] = Counter()
    for path, (orders, pages) in raws.items():
        started = time.process_time()
        text, problems = _ours(path)
        seconds[path.suffix] += time.process_time() - started
        ours = max(f1(_compared(raw, path), _compared(text, path)) for raw in orders)
        peer = max(_peer_f1(raw, theirs.get(str(path), ""), path) for raw in orders)
        rows.setdefault(path.suffix, []).append((ours, peer, bool(problems)))
        shown = "; ".join(problems)[:160]
        cells = (path.name, pages, len(orders[0].split()), f"{ours:.3f}", f"{peer:.3f}", shown)
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print(
        "\n| kind | documents | ours mean | least | under 0.9 and not reported | markitdown mean |"
    )
    print("|" + "---|" * 6)
    for kind, held in rows.items():
        ours = [one for one, _, _ in held]
        low = sum(one < LOW and not reported for one, _, reported in held)
        mean = statistics.mean(peer for _, peer, _ in held)
        print(f"| {kind} | {len(held)} | {statistics.mean(ours):.3f} | {min(ours):.3f} "
              f"| {low} | {mean:.3f} |")  # fmt: skip
        pages = sum(pages for path, (_, pages) in raws.items() if path.suffix == kind)
        line = f"{pages} pages; ours {pages / seconds[kind]:.0f} pages/s"
        if peers:
            line += f", markitdown {pages / peer_seconds[kind]:.0f} pages/s"
        print(f"{line} (of processor time)")


def _compared(text: str, path: Path) -> str:
    return without_numbers(text) if path.suffix == ".xlsx" else text


def _peer_f1(raw: str, text: str, path: Path) -> float:
    """The better F1 of another reader: with what it adds of its own, or without."""
    pairs = [(raw, text)]
    if path.suffix != ".pdf":
        pairs.append((undecorated(raw), undecorated(text)))
    return max(f1(_compared(one, path), _compared(other, path)) for one, other in pairs)


def f1(raw: str, text: str) -> float:
    """F1 of runs of five words."""
    one, other = _runs(raw), _runs(text)
    return 2 * (one & other).total() / max(1, one.total() + other.total())


def _runs(text: str) -> Counter[tuple[str, ...]]:
    words = list(words_of_text(text))
    return Counter(zip(*(words[at:] for at in range(5)), strict=False))


def _ours(path: Path) -> tuple[str, list[str]]:
    notes = Notes()
    try:
        text = read_text(path.read_bytes(), path.suffix, None, notes).text
    except DocumentError as error:
        return "", [error.title]
    return text, [problem.title for problem in notes.problems]


def _theirs(paths: Sequence[Path], peers: Path, files: Path) -> tuple[dict[str, str], Counter[str]]:
    texts: dict[str, str] = {}
    seconds: Counter[str] = Counter()
    peer = _peer(peers, files)
    for path in paths:
        peer.stdin.write(json.dumps([str(path)]) + "\n")
        peer.stdin.flush()
        answer = peer.stdout.readline()
        if not answer:  # it does not survive what it cannot read
            peer.wait()
            peer = _peer(peers, files)
            continue
        taken, text = json.loads(answer)
        texts |= text
        seconds[path.suffix] += taken
    peer.stdin.close()
    peer.wait()
    return texts, seconds


def _peer(peers: Path, files: Path) -> subprocess.Popen[str]:
    command = [peers, files, "convert", "1"]
    return subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True)


def _plain_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" ".join(filter(None, row)) for row in ([header] if header else []) + list(rows)]
    return "\n".join(line for line in lines if line)


RAW: dict[str, Callable[[Path], Raw | None]] = {
    ".pdf": raw_pdf,
    ".docx": raw_word,
    ".pptx": raw_slides,
    ".xlsx": raw_sheets,
    ".odt": raw_odt,
}
