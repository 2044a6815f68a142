"""Task types of the user's own, each a TOML file; docs/tasks.md describes every key.

A job keeps the definitions it was planned with: the file may move or go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from bonito_local.bounds import user_path
from bonito_local.checks.rules import REASONS
from bonito_local.checks.thresholds import Thresholds, check_thresholds
from bonito_local.errors import (
    BonitoError,
    OtherSettingsError,
    OutputError,
    UsageError,
    did_you_mean,
)
from bonito_local.jobs.journal import Journal
from bonito_local.jobs.tomlfile import read_toml
from bonito_local.private import make_folder
from bonito_local.tasks import CONTEXT, LABELS, MARKERS, TASK_TYPES, TaskType, task_type

_KEYS = ("name", "meaning", "instructions", "labels", "example", "checks")
_SHORT = re.compile(r"[a-z][a-z0-9_]{0,39}")


def find_tasks(name: str, folder: Path | None = None) -> list[TaskType]:
    """Return the task type of a name or a TOML file, or all those of the files in a folder.

    A relative path is relative to `folder` (None: the current one).

    Raises:
        UsageError: the name is unknown, or a file says something that cannot be.
    """
    path = (folder or Path()) / user_path(name)
    if name.endswith(".toml"):
        return [read_task(path)]
    built_in = {task.short for task in TASK_TYPES} | {task.name for task in TASK_TYPES}
    if " ".join(name.lower().split()) not in built_in and _is_folder(path):
        files = sorted(path.glob("*.toml"))
        if not files:
            raise UsageError(f"{path} holds no task file.", "A task file ends with .toml.")
        return [read_task(file) for file in files]
    return [task_type(name)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def read_task(path: Path) -> TaskType:
    """Read a task file; the type's short name is the file's.

    Raises:
        UsageError: it cannot be read, or says something that cannot be; one key is named.
    """
    data = read_toml(path, "task file", "See docs/tasks.md.")
    try:
        return _task(path.stem, data)
    except BonitoError as error:
        raise UsageError(f"{path}: {error.title}", error.remedy) from error


def _task(short: str, data: dict[str, Any]) -> TaskType:
    names = [name for task in TASK_TYPES for name in (task.short, task.name)]
    if not _SHORT.fullmatch(short) or short in names:
        raise UsageError(
            f"A task type cannot be called {short!r}.",
            "Name the file in small letters, digits and _, and not like one of the 16.",
        )
    for key in data:
        if key not in _KEYS:
            raise UsageError(f"The key {key} is not known.", did_you_mean(key, list(_KEYS)))
    name, meaning = _text(data, "name"), _text(data, "meaning")
    if name.lower() in names:
        raise UsageError(f"{name!r} is one of the 16 task types.", "Give yours another name.")
    templates, labels = _texts(data, "instructions"), _texts(data, "labels")
    for template in templates:
        if CONTEXT not in template:
            raise UsageError(
                f"instructions: {template[:40]!r} does not hold the passage.",
                "Write {{context}} where the passage goes.",
            )
        if LABELS in template and not labels:
            raise UsageError("instructions: there are no labels.", "Add labels = [...].")
    if labels and len({label.lower() for label in labels}) < 2:
        raise UsageError("labels are not a label set.", "Give two or more, or none.")
    example = _table(data, "example", ("instruction", "response"))
    checks = _table(data, "checks", ("like", *(f.name for f in fields(Thresholds))))
    return TaskType(
        short,
        name,
        meaning,
        _text(example, "instruction") if example else _shown(templates, labels),
        _text(example, "response") if example else (labels or ("...",))[0],
        labels,
        templates,
        _like(checks, labels),
        _limits(checks),
    )


def _like(checks: dict[str, Any], labels: tuple[str, ...]) -> str:
    like = checks.get("like", "")
    if labels and like:
        raise UsageError("checks.like and labels do not go together.", "Leave one of them out.")
    if like:
        return task_type(_text(checks, "like")).short
    return "topic_class" if labels else ""


def _limits(checks: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    limits = {name: value for name, value in checks.items() if name != "like"}
    for field in fields(Thresholds):
        value, usual = limits.get(field.name), getattr(Thresholds(), field.name)
        kinds = (int, float) if isinstance(usual, float) else (type(usual),)
        if field.name == "skip" and value is not None:
            limits["skip"] = _texts(limits, "skip")
        elif value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
            raise UsageError(
                f"checks.{field.name} is {value!r}.", f"Write {field.name} = {usual!r}, say."
            )
    check_thresholds(Thresholds(**limits), REASONS)
    return tuple(sorted(limits.items()))


def _shown(templates: tuple[str, ...], labels: tuple[str, ...]) -> str:
    if not templates:
        raise UsageError(
            "There are neither instructions nor an example.", "Add instructions, or [example]."
        )
    return " ".join(templates[0].replace(LABELS, ", ".join(labels)).replace(CONTEXT, "").split())


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{key} is missing, or not a text.", f'Write {key} = "..."')
    if any(marker in value for marker in MARKERS):
        raise UsageError(f"{key} holds a marker of Bonito's prompt.", "Write it without.")
    return value.strip()


def _texts(data: dict[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key, [])
    if not isinstance(value, list):
        raise UsageError(f"{key} is not a list of texts.", f'Write {key} = ["...", "..."]')
    return tuple(_text({key: item}, key) for item in value)


def _table(data: dict[str, Any], name: str, known: tuple[str, ...]) -> dict[str, Any]:
    found = data.get(name, {})
    if not isinstance(found, dict):
        raise UsageError(f"{name} is not a table.", f"Write [{name}] on a line of its own.")
    for key in found:
        if key not in known:
            raise UsageError(f"The key {name}.{key} is not known.", did_you_mean(key, list(known)))
    return found


def write_task(task: TaskType, path: Path) -> None:
    """Write a task file that `read_task` reads as the very same task type.

    Raises:
        OutputError: it cannot be written.
    """
    checks = dict(task.limits) | ({"like": task.like} if task.like and not task.labels else {})
    lines = [f"name = {_quoted(task.name)}", f"meaning = {_quoted(task.meaning)}"]
    for key, texts in (("instructions", task.templates), ("labels", task.labels)):
        if texts:
            lines.append(f"{key} = {_quoted(list(texts))}")
    example = {"instruction": task.instruction, "response": task.response}
    for name, table in (("example", example), ("checks", checks)):
        if table:
            lines += ["", f"[{name}]", *(f"{key} = {_quoted(of)}" for key, of in table.items())]
    try:
        make_folder(path.parent)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        path.chmod(0o600)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error


def _quoted(value: Any) -> str:
    """As TOML, which is JSON here but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def as_plain(task: TaskType) -> str | dict[str, Any]:
    """A task type as plain data: the short name of one of the 16, else the whole definition."""
    return asdict(task) if task.own else task.short


def from_plain(data: str | dict[str, Any]) -> TaskType:
    """What `as_plain` was made of."""
    if isinstance(data, str):
        return task_type(data)
    limits = tuple(
        (name, tuple(value) if isinstance(value, list) else value) for name, value in data["limits"]
    )
    tuples = {name: tuple(data[name]) for name in ("labels", "templates")}
    return TaskType(**data | tuples | {"limits": limits})


def held_task(store: Journal, name: str) -> str:
    """Short name of a task type of the job's rows, by that, its full name or its file.

    Raises:
        UsageError: the job has no such rows.
    """
    known, types = store.ledger().tasks(), remember(store, [])
    for short in known:
        if name in (short, types[short].name) or Path(name).name == f"{short}.toml":
            return short
    raise UsageError(f"The job has no task type {name!r}.", did_you_mean(name, list(known)))


def remember(store: Journal, tasks: Iterable[TaskType]) -> dict[str, TaskType]:
    """Keep the user's own task types in a job; return all that it may hold by short name.

    Raises:
        OtherSettingsError: the job holds another type of that name.
    """
    held = {task.short: task for task in map(from_plain, store.load("task_types") or [])}
    known = len(held)
    for task in tasks:
        if task.own and held.setdefault(task.short, task) != task:
            raise OtherSettingsError(
                f"The output holds rows of another task type {task.short!r}.",
                "Write to another folder, or name the file anew.",
            )
    if len(held) > known:
        store.save("task_types", [as_plain(task) for task in held.values()])
    return {task.short: task for task in TASK_TYPES} | held
