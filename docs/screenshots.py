"""Draws every screen of the app, at two sizes, on real jobs made by the real engine.

    python docs/screenshots.py OUT [--only home,review]

Jobs, settings and clock are the script's own: a home in a temporary folder, the example
documents, bonito-small. The pictures are SVG.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SIZES = ((80, 24), (120, 40), (200, 60))
Scene = Callable[[Any, Any], Awaitable[None]]


def make_jobs(folder: Path) -> None:
    """A job that has finished, and one that was paused on its way."""
    from bonito_local.backends.base import Sampling
    from bonito_local.jobs.control import ask
    from bonito_local.jobs.generation import Generation
    from bonito_local.jobs.launch import launch
    from bonito_local.jobs.state import job_state
    from bonito_local.tasks import task_type

    documents = folder / "documents"
    tasks = (task_type("exqa"), task_type("ynqa"))
    finished = Generation((documents,), tasks, folder / "contracts", "bonito-small")
    paused = Generation(
        (documents,), tasks, folder / "policies", "bonito-small", sampling=Sampling(n=6)
    )
    for job, rows in ((finished, 10_000), (paused, 250)):
        launch(job)
        while (state := job_state(job.output)).state in ("running", "waiting"):
            if state.ledger.accepted >= rows:
                ask(job.output, "pause")
            time.sleep(0.05)


def scenes() -> dict[str, Scene]:  # noqa: C901 - one small function each
    """What is done on a fresh app before each picture."""

    async def home(app: Any, pilot: Any) -> None:
        await pilot.pause(0.8)

    async def help_(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("question_mark")

    async def documents(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("n")
        await pilot.pause(0.5)
        await pilot.press("down", "down", "space", "enter")
        await pilot.pause(0.5)

    async def tasks(app: Any, pilot: Any) -> None:
        await documents(app, pilot)
        await pilot.press("ctrl+n")
        await pilot.pause(0.2)
        await pilot.press("space", "down", "down", "down", "down", "space")
        await pilot.pause(0.2)

    async def settings(app: Any, pilot: Any) -> None:
        await tasks(app, pilot)
        await pilot.press("ctrl+n")

    async def preview(app: Any, pilot: Any) -> None:
        await settings(app, pilot)
        await pilot.press("ctrl+n")
        await pilot.pause(8)

    async def detail(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("down", "enter")
        await pilot.pause(0.8)

    async def outcomes(app: Any, pilot: Any) -> None:
        await detail(app, pilot)
        await pilot.press("2")

    async def job_settings(app: Any, pilot: Any) -> None:
        await detail(app, pilot)
        await pilot.press("4")

    async def review(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("down", "r")
        await pilot.pause(0.6)
        await pilot.press("a", "a", "r")
        await pilot.pause(0.3)
        await pilot.press("1")
        await pilot.pause(0.3)
        await pilot.press("4")
        await pilot.pause(0.5)

    async def filtering(app: Any, pilot: Any) -> None:
        await review(app, pilot)
        await pilot.press("f")

    async def editing(app: Any, pilot: Any) -> None:
        await review(app, pilot)
        await pilot.press("e")

    async def export(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("down", "x")

    async def models(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("m")

    async def converting(app: Any, pilot: Any) -> None:
        await models(app, pilot)
        await pilot.press("c")

    async def fetching(app: Any, pilot: Any) -> None:
        app.set_preferences(online="yes")
        await models(app, pilot)
        await pilot.press("f")
        await pilot.pause(3)

    async def doctor(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("d")
        await pilot.pause(8)

    async def preferences(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("comma")

    async def palette(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("ctrl+p")

    async def deleting(app: Any, pilot: Any) -> None:
        await home(app, pilot)
        await pilot.press("D", "2")

    async def error(app: Any, pilot: Any) -> None:
        from bonito_local.errors import JobError

        await home(app, pilot)
        app.show_error(JobError("The disk that holds ~/contracts is full.", "Free some space."))

    async def light(app: Any, pilot: Any) -> None:
        app.theme = "bonito-light"
        await home(app, pilot)

    return {
        "detail": detail,
        "outcomes": outcomes,
        "job-settings": job_settings,
        "review": review,
        "filter": filtering,
        "edit": editing,
        "export": export,
        "models": models,
        "convert": converting,
        "fetch": fetching,
        "doctor": doctor,
        "settings": preferences,
        "palette": palette,
        "delete": deleting,
        "error": error,
        "home": home,
        "help": help_,
        "new-documents": documents,
        "new-tasks": tasks,
        "new-settings": settings,
        "new-preview": preview,
        "light": light,
    }


async def draw(name: str, scene: Scene, size: tuple[int, int], out: Path) -> None:
    """One picture."""
    from bonito_local.tui.app import BonitoApp
    from bonito_local.tui.preferences import preferences_path

    preferences_path().unlink(missing_ok=True)
    app = BonitoApp()
    async with app.run_test(size=size) as pilot:
        await scene(app, pilot)
        await pilot.pause(0.4)
        # The font is named, not fetched: a picture must not call home.
        svg = re.sub(r"@font-face \{.*?\}", "", app.export_screenshot(), flags=re.DOTALL)
        path = out / f"{name}-{size[0]}x{size[1]}.svg"
        path.write_text(svg.replace("Fira Code", "DejaVu Sans Mono"), encoding="utf-8")


def main() -> None:
    """Make the jobs and the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--size", default="")
    parser.add_argument("--home", type=Path, help="Keep the jobs here, for the next time.")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    out, only = args.out.resolve(), [name for name in args.only.split(",") if name]
    with tempfile.TemporaryDirectory(prefix="screens-") as temporary:
        home = args.home or Path(temporary) / "home"
        home.mkdir(exist_ok=True)
        for name in [name for name in os.environ if name.startswith("XDG_")]:
            del os.environ[name]
        os.environ["HOME"] = str(home)
        os.chdir(home)
        if not (home / "documents").exists():
            shutil.copytree(ROOT / "examples" / "documents", home / "documents")
            make_jobs(home)
        for name, scene in scenes().items():
            for size in SIZES:
                if (only and name not in only) or (args.size and args.size != str(size[0])):
                    continue
                asyncio.run(draw(name, scene, size, out))
                print(name, *size, flush=True)


if __name__ == "__main__":
    main()
