"""Numbers, sizes and times as the screens show them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.progress import Progress

# What a piece of text is, which the stylesheet gives a colour.
GOOD, BAD, WARN, DIM, ACCENT, PLAIN, STRONG = (
    "good", "bad", "warn", "dim", "accent", "", "strong",
)  # fmt: skip
Piece = tuple[str, str]
Cell = tuple[Piece, ...]

STATE_TONES = {
    "running": ACCENT,
    "waiting": WARN,
    "pausing": WARN,
    "cancelling": WARN,
    "finished": GOOD,
    "paused": WARN,
    "ready": WARN,
    "failed": BAD,
    "crashed": BAD,
    "cancelled": DIM,
    "stopped": WARN,
    "new": DIM,
}
OUTCOME_TONES = {
    "accepted": GOOD,
    "rejected": WARN,
    "unparseable": WARN,
    "duplicate": DIM,
    "failed": BAD,
    "pending": DIM,
}


def cell(text: str, tone: str = PLAIN) -> Cell:
    """One piece of text."""
    return ((text, tone),)


def one_line(text: str) -> str:
    """Text without line breaks or runs of blanks."""
    return " ".join(text.split())


def count(number: int) -> str:
    """A number with its thousands set apart."""
    return f"{number:,}"


def size(number: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def duration(seconds: float | None) -> str:
    """Seconds as 8s, 3m 20s or 5h 07m; empty where unknown."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 100 * 3600:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d"


def moment(at: float) -> str:
    """A time of the clock: of today the hour, else the day too."""
    then = datetime.fromtimestamp(at)
    today = then.date() == datetime.now().date()
    return then.strftime("%H:%M" if today else "%d %b %H:%M")


def speed(progress: Progress | None) -> str:
    """Tokens read and written a second."""
    if progress is None or not progress.seconds:
        return ""
    read, written = progress.tokens_per_second
    return f"{read:.0f}+{written:.0f}"


def share(ledger: Ledger) -> float:
    """How much of what was planned has ended, 0 to 1."""
    return (ledger.planned - ledger.pending) / ledger.planned if ledger.planned else 0.0


def bar(share: float, width: int, tone: str = ACCENT) -> Cell:
    """A bar of so many cells, drawn in halves."""
    halves = round(share * width * 2)
    full, half = divmod(min(halves, 2 * width), 2)
    rest = width - full - half
    return (("━" * full + "╸" * half, tone), ("─" * rest, DIM))


def lost(ledger: Ledger) -> int:
    """Samples that ended without a row."""
    return ledger.planned - ledger.pending - ledger.accepted


def plural(number: int, word: str) -> str:
    """1 row, 2 rows."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def short_path(path: Path, width: int) -> str:
    """A path with ~ for the home, its front left out where it is too long."""
    text = str(path)
    home = str(Path.home())
    if home != "/" and (text == home or text.startswith(home + "/")):
        text = "~" + text[len(home) :]
    return text if len(text) <= width else "…" + text[1 - width :]
