"""What can be done with a job from any screen: each the core's own function, as in the CLI.

What does it is imported once it is asked for: Home is on the screen before.
"""

from __future__ import annotations

from pathlib import Path

from bonito_local.jobs.journal import Wish
from bonito_local.jobs.ledger import Outcome
from bonito_local.jobs.state import AT_WORK, Listed
from bonito_local.tui.screens.dialog import Choose, Confirm
from bonito_local.tui.screens.page import Page

NEEDS_JOB = frozenset(
    {"open", "start", "pause", "cancel", "retry", "duplicate", "delete", "review", "export"}
)
_RETRIES: tuple[tuple[str, tuple[Outcome, ...]], ...] = (
    ("Those that failed", ("failed",)),
    ("Those that failed or did not parse", ("failed", "unparseable")),
    ("All that ended without a row", ("failed", "unparseable", "rejected", "duplicate")),
)


def possible(action: str, listed: Listed | None) -> bool:
    """Whether an action makes sense for a job as it is."""
    if action == "delete":
        return True
    job = listed.job if listed else None
    if job is None:
        return False
    at_work = job.state in AT_WORK
    if action == "pause":
        return job.state in ("waiting", "running")
    if action == "cancel":
        return job.state not in ("finished", "cancelled", "cancelling", "new")
    if action in ("start", "retry"):
        return not at_work
    if action in ("review", "export"):
        return job.ledger.planned > job.ledger.pending
    return True


def start(page: Page, output: Path, *, again: bool = False) -> None:
    """Start a job in a process of its own; `again` looks for new documents first."""

    def work() -> None:
        from bonito_local.jobs.worker import start

        start(output, again=again)

    page.notify(f"Starting {output.name}", timeout=2)
    page.ask(work)


def stop(page: Page, output: Path, wish: Wish) -> None:
    """Ask a job to stop; the table shows when it has."""

    def work() -> None:
        from bonito_local.jobs.control import ask

        ask(output, wish, seconds=0.0)

    page.ask(work)


def cancel(page: Page, output: Path) -> None:
    """Cancel a job, after asking."""
    question = Confirm(
        f"Cancel {output.name}?",
        "The rows it has stay, and starting it again would go on from here.",
        "Cancel the job",
    )
    page.app.push_screen(question, lambda yes: stop(page, output, "cancel") if yes else None)


def retry(page: Page, output: Path) -> None:
    """Ask again for samples that ended without a row, and start the job."""

    def chosen(at: int | None) -> None:
        if at is not None:
            page.ask(lambda: again(_RETRIES[at][1]), asked)

    def again(outcomes: tuple[Outcome, ...]) -> int:
        from bonito_local.jobs.control import retry

        return retry(output, outcomes)

    def asked(number: int) -> None:
        if number:
            start(page, output)
        else:
            page.notify("There are no such samples.")

    page.app.push_screen(Choose("Ask again for which samples?", [t for t, _ in _RETRIES]), chosen)


def duplicate(page: Page, output: Path) -> None:
    """Open the form of a new job with this one's request in it."""
    from bonito_local.jobs.control import read_request
    from bonito_local.tui.screens.new_job import NewJobScreen

    page.ask(
        lambda: read_request(output),
        lambda wanted: page.app.push_screen(NewJobScreen(wanted)),
    )


def delete(page: Page, output: Path) -> None:
    """Take a job off the list, or delete it with all its text, after asking."""
    from bonito_local.jobs.removal import purge, remove

    def chosen(at: int | None) -> None:
        if at == 0:
            page.ask(lambda: remove(output))
        elif at == 1:
            question = Confirm(
                f"Delete {output.name} for good?",
                f"Its rows, its dataset and your decisions in {output} are overwritten and "
                "deleted. Your documents are not touched.",
                "Delete",
                grave=True,
            )
            page.app.push_screen(question, sure)

    def sure(yes: bool | None) -> None:
        if yes:
            page.ask(
                lambda: purge(output), lambda paths: page.notify(f"{len(paths)} files deleted.")
            )

    options = [
        "Take it off the list; its files stay",
        "Delete the job and its dataset from the disk",
    ]
    page.app.push_screen(Choose(f"What of {output.name}?", options), chosen)


def review(page: Page, output: Path) -> None:
    """Review the rows of a job."""
    from bonito_local.tui.screens.review import ReviewScreen

    page.app.push_screen(ReviewScreen(output))


def export(page: Page, output: Path) -> None:
    """Write the dataset of a job."""
    from bonito_local.tui.screens.export import ExportScreen

    page.app.push_screen(ExportScreen(output))
