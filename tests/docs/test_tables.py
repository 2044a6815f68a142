"""Tables of the documentation name all that there is."""

import re
from pathlib import Path

from bonito_local.backends.registry import BACKENDS
from bonito_local.checks.rules import REASONS
from bonito_local.exports.formats import FORMATS
from bonito_local.exports.row import COLUMNS, REASONING
from bonito_local.jobs.newjob import write_job
from bonito_local.tasks import TASK_TYPES

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_check_is_described() -> None:
    assert [reason for reason in REASONS if reason not in page("checks.md")] == []


def test_every_format_and_column_is_described() -> None:
    text = page("exports.md")
    assert [form.name for form in FORMATS if f"`{form.name}`" not in text] == []
    columns = {*COLUMNS, REASONING} - {"input", "output", "task_type"}
    assert [name for name in columns if f"`{name}`" not in text] == []


def test_every_backend_and_task_type_is_described() -> None:
    assert [name for name in BACKENDS if f"| `{name}` |" not in page("backends.md")] == []
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert [
        task.short for task in TASK_TYPES if f"`{task.short}` | {task.name}" not in readme
    ] == []


def test_every_key_that_a_new_job_file_shows_is_described(tmp_path: Path) -> None:
    write_job(tmp_path / "job.toml", ["a"], ["exqa"], "out", "bonito-small", "llamacpp")
    section, missing = "", []
    described = set(re.findall(r"`([\w.*]+)`", page("jobs.md")))
    for line in (tmp_path / "job.toml").read_text().splitlines():
        if found := re.match(r"#? ?\[(\w+)\]$", line):
            section = f"{found[1]}."
        elif found := re.match(r"#? ?(\w+) = ", line):
            name = f"{section}{found[1]}"
            if name not in described and f"{section}*" not in described:
                missing.append(name)
    assert missing == []
