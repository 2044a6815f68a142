"""What is written from the commands is what they say."""

import re
import subprocess
import sys
from pathlib import Path

from bonito_local.cli.main import STATUSES

ROOT = Path(__file__).parents[2]


def test_the_reference_and_the_man_page_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_every_exit_status_in_the_code_is_documented() -> None:
    text = "".join(path.read_text() for path in (ROOT / "bonito_local").rglob("*.py"))
    codes = {int(code) for code in re.findall(r"exit_code = (\d+)", text)}
    assert codes | {0, 70, 130} <= set(STATUSES)
