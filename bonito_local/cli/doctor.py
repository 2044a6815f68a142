"""`bonito-local doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from bonito_local.cli.talk import say, say_line
from bonito_local.doctor import examine

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> int:
    """Check this installation and machine; exits with 1 if something fails."""
    checks = examine()
    if as_json:
        say(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            say_line(f"{_MARKS[check.status]}  {check.name:<{width}}  {check.found}")
            if check.remedy:
                say_line(f"{'':6}{'':<{width}}  -> {check.remedy}")
    return int(any(check.status == "fail" for check in checks))
