"""How a job's samples ended, as bars; and how fast they come."""

from __future__ import annotations

from collections import deque

from textual.content import Content
from textual.widgets import Static

from bonito_local.jobs.ledger import OUTCOMES, PENDING, Ledger
from bonito_local.jobs.state import JobState
from bonito_local.tui.format import ACCENT, DIM, OUTCOME_TONES, STRONG, Piece, count
from bonito_local.tui.widgets.jobs import content

_SHADES = "▁▂▃▄▅▆▇█"
_KEPT = 240


def bars(ledger: Ledger, width: int) -> Content:
    """Outcomes of all tasks, then the reasons, then each task in a line."""
    pieces: list[Piece] = [("How samples ended\n", STRONG)]
    wide = max(8, min(60, width - 38))
    for name in (*OUTCOMES, PENDING):
        number = ledger.total(name)
        part = number / ledger.planned if ledger.planned else 0.0
        full = round(part * wide)
        pieces += [
            (f"{name:<12}", OUTCOME_TONES[name]),
            ("█" * full + ("▏" if number and not full else ""), OUTCOME_TONES[name]),
            (" " * (wide - max(full, int(bool(number)))), ""),
            (f"{count(number):>10}", ""),
            (f"  {part:>6.1%}\n", DIM),
        ]
    if reasons := ledger.reasons():
        pieces.append(("\nWhy rows were lost\n", STRONG))
        for reason in reasons[:12]:
            pieces += [(f"{count(reason.samples):>8}  ", ""), (reason.reason, DIM)]
            pieces.append((f"  {reason.outcome}\n", OUTCOME_TONES[reason.outcome]))
    pieces.append(("\nBy task\n", STRONG))
    for task in ledger.tasks():
        planned = sum(ledger.total(name, task) for name in (*OUTCOMES, PENDING))
        kept = ledger.total("accepted", task)
        pieces += [(f"{task:<14}", ACCENT), (f"{count(kept):>10} of {count(planned)} kept", "")]
        pieces.append((f"  {kept / planned:.0%}\n" if planned else "\n", DIM))
    return content(pieces)


class Throughput(Static):
    """Tokens written a second, over the last minutes, as a line of small bars."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.speeds: deque[float] = deque(maxlen=_KEPT)
        self._last: tuple[float, int] | None = None

    def add(self, job: JobState) -> None:
        """Take in where a job stands; a job that does not run adds nothing."""
        progress = job.progress
        if job.state != "running" or progress is None or progress.phase != "generating":
            self._last = None
            self._draw()
            return
        now = (progress.seconds, progress.completion_tokens)
        if self._last and now[0] > self._last[0]:
            written = max(0, now[1] - self._last[1])
            self.speeds.append(written / (now[0] - self._last[0]))
        if not self._last or now[0] != self._last[0]:
            self._last = now
        self._draw()

    def _draw(self) -> None:
        width = max(10, self.content_size.width - 34)
        shown = list(self.speeds)[-width:]
        if not shown:
            self.update(content([("No tokens are being written", DIM)]), layout=False)
            return
        top = max(shown) or 1.0
        line = "".join(_SHADES[min(7, int(speed / top * 7.99))] for speed in shown)
        told = f"  {shown[-1]:.0f} tokens/s written, {top:.0f} at most"
        self.update(content([(line, ACCENT), (told, DIM)]), layout=False)
