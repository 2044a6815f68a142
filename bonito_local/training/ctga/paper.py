"""The paper's own mix, CTGA-v1: its 39 datasets from a folder, with promptsource's templates."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bonito_local.errors import TemplatesError, TrainingError, UsageError, did_you_mean
from bonito_local.templating.promptsource import CUT, read_prompts, templates_folder
from bonito_local.templating.source import Source, Template, with_slot
from bonito_local.training.ctga.counts import LeftOut, Unused
from bonito_local.training.ctga.examples import SUFFIXES
from bonito_local.training.ctga.plan import Plan


@dataclass(frozen=True, slots=True)
class PaperDataset:
    """One of the 39; `tasks` are the short names of task types by the name of a template."""

    name: str
    subset: str | None
    split: str
    passage: str
    tasks: dict[str, str]

    @property
    def label(self) -> str:
        """Name and subset, as users write them."""
        return f"{self.name}/{self.subset}" if self.subset else self.name


def paper_datasets(wanted: Sequence[str] = ()) -> list[PaperDataset]:
    """Return the 39, or those `wanted` by name or by name and subset.

    Raises:
        UsageError: a name is none of theirs.
    """
    text = files("bonito_local.training.ctga").joinpath("paper.toml").read_text(encoding="utf-8")
    known = [
        PaperDataset(
            item["name"],
            item.get("subset"),
            item.get("split", "train"),
            item["passage"],
            {name: task for task, names in item["templates"].items() for name in names},
        )
        for item in tomllib.loads(text)["datasets"]
    ]
    if not wanted:
        return known
    names = [name for one in known for name in (one.label, one.name)]
    for name in wanted:
        if name not in names:
            raise UsageError(
                f"{name!r} is none of the paper's datasets.", did_you_mean(name, names)
            )
    return [one for one in known if one.label in wanted or one.name in wanted]


def plan_paper(data: Path, checkout: Path, wanted: Sequence[str] = ()) -> Plan:
    """Plan the paper's mix of what `data` holds of its datasets, each in a folder of its name.

    Raises:
        UsageError: `checkout` is none of promptsource, a name is unknown, or one that was asked
            for is not there.
    """
    folder = templates_folder(checkout)
    sources: list[Source] = []
    left_out: list[LeftOut] = []
    unused: list[Unused] = []
    absent: list[str] = []
    for dataset in paper_datasets(wanted):
        home = data / dataset.name
        if not is_there(home, dataset.subset):
            absent.append(dataset.label)
            continue
        try:
            found = find_files(home, dataset.subset, dataset.split)
            out, templates = _templates(folder, dataset)
        except (TemplatesError, TrainingError) as error:
            unused.append(Unused(dataset.label, error.title, error.remedy))
            continue
        left_out += out
        if not dataset.tasks:
            continue  # as in the paper
        sources.append(
            Source(
                dataset.name,
                found,
                dataset.passage,
                tuple(templates),
                subset=dataset.subset,
                cut=CUT,
            )
        )
    if absent and (wanted or not (sources or unused)):
        raise UsageError(
            f"{data} has no folder for {', '.join(absent[:5])}{' ...' if absent[5:] else ''}.",
            "A dataset lies in a folder of its name; --download fetches what is missing.",
        )
    return Plan(tuple(sources), tuple(left_out), tuple(unused), tuple(absent))


def is_there(home: Path, subset: str | None) -> bool:
    """Whether a dataset's folder holds anything of it, or of the subset."""
    return any(home.rglob(subset) if subset else home.glob("*"))


def _templates(folder: Path, dataset: PaperDataset) -> tuple[list[LeftOut], list[Template]]:
    """Return which of a dataset's templates are left out, and the others by name."""
    left_out: list[LeftOut] = []
    templates: list[Template] = []
    missing = dict(dataset.tasks)
    for prompt in read_prompts(folder, dataset.name, dataset.subset):
        task = missing.pop(prompt.name, None)
        text = with_slot(prompt.jinja, dataset.passage)
        if text is None:
            left_out.append(LeftOut(dataset.label, prompt.name, "does not hold the passage"))
        elif task is None:
            left_out.append(LeftOut(dataset.label, prompt.name, "has no task type in the paper"))
        else:
            templates.append(Template(prompt.name, task, text, prompt.choices))
    left_out += [LeftOut(dataset.label, name, "is not in the checkout") for name in missing]
    return left_out, templates


def find_files(home: Path, subset: str | None, split: str) -> tuple[Path, ...]:
    """Return the files of a split, as the hub, `datasets` and people lay them out.

    The split is a folder or begins a file's name; the subset is a folder.

    Raises:
        TrainingError: there are none, or those of several copies.
    """
    pattern = re.compile(rf"(?:partial-)?{re.escape(split)}(?:[-.].*)?")
    found = sorted(
        path
        for path in home.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and _in_split(path, home, pattern)
    )
    if subset:
        found = [path for path in found if subset in path.relative_to(home).parts]
    homes = {_above_split(path, pattern) for path in found}
    what = f"the split {split}" + (f" of {subset}" if subset else "")
    if not found:
        raise TrainingError(
            f"{home} has no file of {what}.",
            f"Such a file is {subset or 'data'}/{split}.parquet, .jsonl, .csv or .arrow.",
        )
    if len(homes) > 1:
        listed = ", ".join(str(path.relative_to(home)) or "." for path in sorted(homes))
        raise TrainingError(f"{home} has {what} more than once: {listed}.", "Keep one of them.")
    return tuple(found)


def _in_split(path: Path, home: Path, pattern: re.Pattern[str]) -> bool:
    parts = path.relative_to(home).parts
    hidden = any(part.startswith(".") for part in parts)  # what a download leaves beside
    return not hidden and any(pattern.fullmatch(part) for part in parts[-2:])


def _above_split(path: Path, pattern: re.Pattern[str]) -> Path:
    return path.parent.parent if pattern.fullmatch(path.parent.name) else path.parent
