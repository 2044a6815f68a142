"""Runs a job in this process, under the eyes of the user, to its end."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

from bonito_local import airgap
from bonito_local.backends.cluster.options import check_cluster
from bonito_local.cli.progress import reporter
from bonito_local.cli.summary import print_plain, print_summary
from bonito_local.cli.talk import quiet, say, say_line
from bonito_local.errors import BonitoError
from bonito_local.jobs.engine import give_up_network, sent_to, settle, way_out
from bonito_local.jobs.generate import Front, generate
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.progress import Progress
from bonito_local.jobs.signals import StopSignals
from bonito_local.jobs.worker import interrupt
from bonito_local.passages.ahead import stopped_by


def run_here(
    wanted: Generation, *, again: bool = True, online: bool = False, as_json: bool = False
) -> int:
    """Run the job, show how it goes, print how it ended, and return the exit status.

    Unless `online`, this process has no network from here on, but for a server it was told of.
    """
    with chdir(wanted.folder or Path()):
        wanted, why = settle(wanted)
    check_cluster(wanted.cluster)
    way_out(wanted.engine)
    if why and not quiet():
        say(f"backend: {wanted.backend}, since {why}", err=True)
    _warn_of_sending(wanted)
    enter_air_gap(online, wanted)
    with (
        chdir(wanted.folder or Path()),
        StopSignals() as signals,
        reporter() as shown,
        stopped_by(signals.stop),
    ):

        def notify(progress: Progress) -> None:
            # A loader or reader that calls back into Python must not be cut in two.
            signals.interrupts = progress.phase == "generating"
            shown.show(progress)

        def warn(text: str) -> None:
            say_line(f"warning: {text}", err=True)

        def abandon(text: str) -> None:
            # A bar that is not taken down leaves the terminal without a cursor.
            shown.__exit__(None, None, None)
            say_line(f"error: {text}", err=True)

        front = Front(notify, warn, signals.stop, interrupt, abandon, again)
        summary = generate(wanted, front)
    if as_json:
        print_plain(summary, wanted.output)
    else:
        print_summary(summary, wanted.output)
    if summary.stopped:
        say(f"{summary.ended.capitalize()}. The same command goes on from here.", err=True)
        return signals.exit_status
    if not summary.rows:
        if summary.ledger.planned:
            raise BonitoError("No row was accepted.", "The ledger above says how each ended.")
        raise BonitoError("No passage could be read.", "What was wrong is said above.")
    return 0


def run_detached(wanted: Generation, *, again: bool = True, as_json: bool = False) -> int:
    """Leave the job to a process of its own, and say how to reach it."""
    from bonito_local.jobs.generate import prepare
    from bonito_local.jobs.worker import start

    if again:
        with chdir(wanted.folder or Path()):
            prepare(wanted)
    _warn_of_sending(wanted)
    pid = start(wanted.output, again=again)
    if as_json:
        say(json.dumps({"output": str(wanted.output.resolve()), "pid": pid}, indent=2))
        return 0
    say_line(f"Process {pid} runs the job in {wanted.output}.")
    say("`bonito-local jobs` shows how far it is; `pause` and `cancel` stop it.")
    return 0


def _warn_of_sending(wanted: Generation) -> None:
    if to := sent_to(wanted.engine):
        say(f"warning: your passages are sent to {to}.", err=True)
    if to := wanted.cluster.address:
        say(
            f"warning: your passages are sent to the nodes of the Ray cluster at {to}, and this "
            "process keeps the network; what reads documents has none.",
            err=True,
        )


def enter_air_gap(online: bool, wanted: Generation | None = None) -> None:
    """Give up the network, before anything is read, and say where that is not wholly possible."""
    held = give_up_network(wanted, online=online) if wanted else airgap.enter(online=online)
    if online:
        say("warning: --online: what reads your documents may use the network.", err=True)
    elif not held.online and not held.by_the_kernel:
        say(f"warning: the air gap is not whole: {' '.join(held.limits)}", err=True)
