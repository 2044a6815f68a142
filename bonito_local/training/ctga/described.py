"""Datasets that a user describes in a TOML file, with the project's templates or their own.

docs/ctga.md shows every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from bonito_local.bounds import user_path
from bonito_local.errors import BonitoError, UsageError, did_you_mean
from bonito_local.jobs.tomlfile import read_toml
from bonito_local.tasks import task_type
from bonito_local.templating.source import Source, Template, with_slot
from bonito_local.training.ctga.examples import SUFFIXES
from bonito_local.training.ctga.plan import Plan

PASSAGE = "{{ passage }}"
_KEYS = ("name", "files", "tasks", "values", "header", "license")
_SEE = "docs/ctga.md shows what goes in."

Templates = dict[str, tuple[Template, ...]]


def plan_described(path: Path) -> Plan:
    """Plan a build of the datasets that a file describes.

    Raises:
        UsageError: the file cannot be read, or says something that cannot be; one key is named.
    """
    data = read_toml(path, "file of datasets", _SEE)
    try:
        return _plan(data, path.parent)
    except BonitoError as error:
        raise UsageError(f"{path}: {error.title}", error.remedy) from error


def own_templates() -> Templates:
    """Return the project's templates, by the short name of their task type."""
    text = files("bonito_local.training.ctga").joinpath("templates.toml").read_text("utf-8")
    return _templates(tomllib.loads(text)["templates"])


def _plan(data: Mapping[str, Any], folder: Path) -> Plan:
    _known(data, ("datasets", "templates"), "")
    described, templates = data.get("datasets"), data.get("templates", {})
    if not isinstance(described, list) or not described:
        raise UsageError("There are no datasets.", "Begin each with [[datasets]].")
    if not isinstance(templates, dict):
        raise UsageError("templates is not a table.", "Write [templates] on a line of its own.")
    # One's own take the place of the project's, for a task type that has any.
    usable = own_templates() | _templates(templates)
    sources = [_source(item, folder, usable) for item in described]
    labels = [source.label for source in sources]
    for label in labels:
        if labels.count(label) > 1:
            raise UsageError(f"Two datasets are called {label!r}.", "Name one of them anew.")
    return Plan(tuple(sources))


def _source(item: Any, folder: Path, templates: Templates) -> Source:
    if not isinstance(item, dict):
        raise UsageError("datasets is no list of tables.", "Begin each with [[datasets]].")
    name = _text(item, "name", "datasets")
    _known(item, _KEYS, f"{name}.")
    tasks = [task_type(task).short for task in _texts(item, "tasks", name)]
    values = item.get("values", {})
    if not isinstance(values, dict):
        raise UsageError(f"{name}.values is not a table.", "Write [datasets.values] under it.")
    return Source(
        name,
        _files(item, folder, name),
        PASSAGE,
        tuple(template for task in tasks for template in templates[task]),
        values=tuple((key, _text(values, key, f"{name}.values")) for key in values),
        header=_texts(item, "header", name) if "header" in item else (),
        licence=_text(item, "license", name) if "license" in item else "",
    )


def _files(item: Mapping[str, Any], folder: Path, name: str) -> tuple[Path, ...]:
    found: list[Path] = []
    for pattern in _texts(item, "files", name):
        at = user_path(pattern)
        top = Path(at.anchor) if at.is_absolute() else folder
        matched = [path for path in top.glob(str(at.relative_to(at.anchor))) if path.is_file()]
        if not matched:
            raise UsageError(f"{name}: no file is {pattern!r}.", f"It is looked for in {top}.")
        found += matched
    for path in found:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{path} is of no kind that is read.", f"Kinds: {' '.join(SUFFIXES)}.")
    return tuple(sorted(set(found)))


def _templates(tables: Mapping[str, Any]) -> Templates:
    made: Templates = {}
    for key in tables:
        task = task_type(key).short
        made[task] = tuple(
            _template(task, number, text)
            for number, text in enumerate(_texts(tables, key, "templates"), 1)
        )
    return made


def _template(task: str, number: int, text: str) -> Template:
    slotted = with_slot(text, PASSAGE)
    if slotted is None or "|||" not in text:
        raise UsageError(
            f"templates.{task}: {text[:40]!r} lacks the passage or the response.",
            f"Write {PASSAGE} where the passage goes, and ||| before the response.",
        )
    return Template(f"{task} {number}", task, slotted)


def _known(data: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in data:
        if key not in keys:
            raise UsageError(f"The key {where}{key} is not known.", did_you_mean(key, list(keys)))


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where}.{key} is missing, or not a text.", f'Write {key} = "..."')
    return value


def _texts(data: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = data.get(key)
    if not isinstance(value, list) or not value:
        raise UsageError(f"{where}.{key} is no list of texts.", f'Write {key} = ["...", "..."]')
    return tuple(_text({key: text}, key, where) for text in value)
