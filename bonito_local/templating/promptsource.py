"""Templates of a checkout of promptsource (bigscience-workshop/promptsource), read as data.

A dataset's templates are `templates/NAME[/SUBSET]/templates.yaml`: under `templates` a mapping
of objects tagged `!Template`, each with `name`, `jinja` and `answer_choices`. No object of
Python's is made of them, and nothing of the checkout is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bonito_local.errors import TemplatesError, UsageError

# Characters at which promptsource cuts each value that goes into a template.
CUT = 2048
_MOST_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template as promptsource holds it; `choices` is Jinja too."""

    name: str
    jinja: str
    choices: str | None


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML's plain types, and promptsource's own tags as mappings."""


def _mapping(loader: _PlainLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return dict(loader.construct_mapping(node, deep=True))


for _tag in ("!Template", "!TemplateMetadata"):
    _PlainLoader.add_constructor(_tag, _mapping)


def templates_folder(checkout: Path) -> Path:
    """Return the folder of templates in a checkout, or the folder itself if it is that one.

    Raises:
        UsageError: it is neither.
    """
    for folder in (checkout / "promptsource" / "templates", checkout / "templates", checkout):
        if any(folder.glob("*/templates.yaml")) or any(folder.glob("*/*/templates.yaml")):
            return folder
    raise UsageError(
        f"{checkout} is no checkout of promptsource.",
        "It holds promptsource/templates/DATASET/templates.yaml.",
    )


def read_prompts(folder: Path, name: str, subset: str | None) -> list[Prompt]:
    """Read the templates for a dataset, by name.

    Raises:
        TemplatesError: there are none, or the file is broken.
    """
    path = folder / name / (subset or "") / "templates.yaml"
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise TemplatesError(f"{path} is too large for a file of templates.")
        loader = _PlainLoader(path.read_bytes())
        try:
            held = loader.get_single_data()
        finally:
            loader.dispose()
    except OSError as error:
        raise TemplatesError(
            f"There are no templates in {path}.", "Update the checkout."
        ) from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise TemplatesError(
            f"{path}{line} is not YAML of promptsource's.", "Check the file out again."
        ) from error
    templates = held.get("templates") if isinstance(held, dict) else None
    if not isinstance(templates, dict):
        raise TemplatesError(f"{path} holds no templates.", "Check the file out again.")
    return sorted(_prompts(templates.values()), key=lambda prompt: (prompt.name, prompt.jinja))


def _prompts(values: Any) -> Iterator[Prompt]:
    for value in values:
        if isinstance(value, dict):
            name, jinja = value.get("name"), value.get("jinja")
            choices = value.get("answer_choices")
            if isinstance(name, str) and isinstance(jinja, str):
                yield Prompt(name, jinja, choices if isinstance(choices, str) else None)
