"""Jobs as lines of a table, and one of them in a few lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.content import Content
from textual.widgets import Static

from bonito_local.airgap.layers import NAMESPACE, SECCOMP
from bonito_local.jobs.ledger import OUTCOMES
from bonito_local.jobs.registry import Entry
from bonito_local.jobs.state import AT_WORK, JobState, Listed
from bonito_local.printable import printable
from bonito_local.tui.format import (
    BAD,
    DIM,
    GOOD,
    OUTCOME_TONES,
    PLAIN,
    STATE_TONES,
    STRONG,
    WARN,
    Cell,
    Piece,
    bar,
    cell,
    count,
    duration,
    lost,
    moment,
    plural,
    share,
    short_path,
    speed,
)
from bonito_local.tui.widgets.grid import Column

COLUMNS = (
    Column("#", 3, right=True),
    Column("Job", 9, flex=True),
    Column("State", 9),
    Column("Progress", 11),
    Column("Rows", 6, right=True),
    Column("Lost", 5, right=True),
    Column("Tokens/s", 9, right=True),
    Column("Left", 7, right=True),
    Column("Engine", 9, least=108),
    Column("Air gap", 8, least=108),
    Column("Passages", 8, right=True, least=150),
    Column("Started", 12, right=True, least=150),
    Column("Most were lost as", 24, flex=True, least=150),
)
_TONES = {
    GOOD: "$success",
    BAD: "$error",
    WARN: "$warning",
    DIM: "$foreground 60%",
    "accent": "$accent",
    STRONG: "bold $foreground",
}


def job_cells(entry: Entry, listed: Listed | None) -> Sequence[Cell]:
    """One line of the table; `listed` is None until the job was looked at."""
    name = cell(entry.output.name or str(entry.output), STRONG)
    head = (cell(str(entry.id), DIM), name)
    if listed is None:
        return (*head, cell("…", DIM))
    job = listed.job
    if job is None:
        return (*head, cell("gone", BAD))
    at_work = job.state in AT_WORK
    progress = job.progress if at_work else None
    part = share(job.ledger)
    tone = STATE_TONES[job.state]
    gone = lost(job.ledger)
    left = progress.seconds_left if progress and job.state == "running" else None
    return (
        *head,
        cell(job.state, tone),
        (*bar(part, 6, tone), (f"{part:>5.0%}", PLAIN)),
        cell(count(job.ledger.accepted), PLAIN),
        cell(count(gone), WARN if gone else DIM),
        cell(speed(progress)),
        cell(duration(left)),
        cell(job.run.backend if job.run else "", DIM),
        badge(job, short=True),
        cell(count(job.passages)),
        cell(moment(job.run.started) if job.run else "", DIM),
        cell(", ".join(f"{c.reason} {count(c.samples)}" for c in job.ledger.reasons()[:3]), DIM),
    )


def badge(job: JobState, *, short: bool = False) -> Cell:
    """What kept the job's last run from the network."""
    held = job.airgap
    if held is None:
        return cell("" if short else "air gap not recorded", DIM)
    if not held:
        return cell("● open" if short else "● no air gap: the network was there", BAD)
    if NAMESPACE in held or SECCOMP in held:
        return cell("● closed" if short else "● air gap closed by the system", GOOD)
    return cell("● Python" if short else "● air gap closed for Python code only", WARN)


def content(pieces: Sequence[Piece]) -> Content:
    """Pieces of text, in the colours of the theme; no markup is read in them."""
    safe = ((printable(text), tone) for text, tone in pieces)
    return Content.assemble(
        *((text, _TONES[tone]) if tone in _TONES else text for text, tone in safe)
    )


def outcome_pieces(job: JobState, reasons: int) -> list[Piece]:
    """How the samples ended, and the most frequent reasons of those lost."""
    pieces: list[Piece] = []
    for name in OUTCOMES:
        number = job.ledger.total(name)
        if not number and name != "accepted":
            continue
        most = [c for c in job.ledger.reasons() if c.outcome == name][:reasons]
        why = ", ".join(f"{c.reason} {count(c.samples)}" for c in most)
        pieces.append((f"{'   ' if pieces else ''}{count(number)} {name}", OUTCOME_TONES[name]))
        if why:
            pieces.append((f" ({why})", DIM))
    return pieces


def headline(job: JobState) -> list[Piece]:
    """State, phase, how far and how long still."""
    ledger, progress = job.ledger, job.progress
    pieces: list[Piece] = [(job.state.capitalize(), STATE_TONES[job.state])]
    if job.state in AT_WORK and progress is not None:
        pieces.append((f": {progress.note or progress.phase}", PLAIN))
        if job.age > 5:
            pieces.append((f", as of {duration(job.age)} ago", DIM))
    if ledger.planned:
        done = ledger.planned - ledger.pending
        pieces.append((f"   {count(done)} of {plural(ledger.planned, 'sample')}", PLAIN))
    if job.passages:
        pieces.append((f"   {plural(job.passages, 'passage')}", DIM))
    if job.state == "running" and progress and progress.seconds_left is not None:
        pieces.append((f"   {duration(progress.seconds_left)} left", PLAIN))
    return pieces


class JobPanel(Static):
    """The job under the cursor in a few lines."""

    def show(self, entry: Entry | None, listed: Listed | None) -> None:
        """Show a job, or nothing."""
        if entry is None:
            self.update("", layout=False)
            return
        width = max(20, self.content_size.width)
        lines: list[Content] = [
            content([(entry.output.name, STRONG), ("  ", ""), _place(entry.output, width)])
        ]
        if listed is not None and listed.job is None:
            lines.append(content([(listed.why, BAD)]))
            lines.append(content([("Its folder was moved or deleted: D takes it off.", DIM)]))
        elif listed is not None and listed.job is not None:
            job = listed.job
            engine = f"{job.run.backend} engine   " if job.run else ""
            compact = self.has_class("compact")
            if compact:
                lines = []
            lines.append(content(headline(job)))
            lines.append(content([*bar(share(job.ledger), width, STATE_TONES[job.state])]))
            lines.append(content(outcome_pieces(job, reasons=0 if compact else 2)))
            lines.append(content([(engine, DIM), *badge(job)]))
            if job.why:
                lines.append(content([(job.why, BAD)]))
        self.update(Content("\n").join(lines), layout=False)


def _place(output: Path, width: int) -> Piece:
    return short_path(output, max(10, width - len(output.name) - 4)), DIM
