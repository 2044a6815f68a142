"""Job files: what to generate, in TOML.

Relative paths in one are relative to its folder. docs/jobs.md describes every key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.backends.cluster.options import ClusterOptions, check_cluster
from bonito_local.bounds import check_range, user_path
from bonito_local.checks.rules import REASONS
from bonito_local.checks.thresholds import Thresholds, check_thresholds
from bonito_local.errors import BonitoError, UsageError, did_you_mean
from bonito_local.exports.splits import parse_split
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.exportspec import Export, check_export
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.guided import check_labels
from bonito_local.jobs.prompts import STYLES
from bonito_local.jobs.spec import check_plan, check_sampling, parse_tasks
from bonito_local.jobs.tomlfile import read_toml

# Key -> what its value is, as the error about another one says.
_TEXTS, _TEXT, _WHOLE, _NUMBER, _FLAG = (
    "a list of texts", "a text", "a whole number", "a number", "true or false",
)  # fmt: skip
_KEYS: dict[str, dict[str, str]] = {
    "": {
        "documents": _TEXTS,
        "output": _TEXT,
        "tasks": _TEXTS,
        "model": _TEXT,
        "backend": _TEXT,
        "prompts": _TEXT,
        "cover": _FLAG,
        "verifier": _TEXT,
        "unanswerable": _NUMBER,
        "reasoning": _FLAG,
        "prompt": _TEXT,
        "guided": _FLAG,
        "labels": _TEXTS,
        "reproducible": _FLAG,
        "tune": _FLAG,
        "priority": _WHOLE,
    },
    "splitting": {
        "column": _TEXT,
        "ocr": _TEXT,
        "hidden": _FLAG,
        "limit": _WHOLE,
        "passage_tokens": _WHOLE,
        "target_tokens": _WHOLE,
        "overlap_tokens": _WHOLE,
        "keep_repeats": _FLAG,
    },
    "sampling": {
        "n": _WHOLE,
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "max_tokens": _WHOLE,
        "seed": _WHOLE,
        "stop": _TEXTS,
    },
    "checks": {
        "instruction_words": _WHOLE,
        "response_words": _WHOLE,
        "answer_words": _WHOLE,
        "answer_share": _NUMBER,
        "question_overlap": _NUMBER,
        "summary_share": _NUMBER,
        "repetition": _NUMBER,
        "paraphrase_overlap": _NUMBER,
        "language": _TEXT,
        "skip": _TEXTS,
        "near_duplicate": _NUMBER,
        "retrieval_rank": _WHOLE,
        "round_trip": _FLAG,
        "retries": _WHOLE,
        "stand_alone": _FLAG,
        "evaluation_words": _WHOLE,
        "balance": _FLAG,
        "other_jobs": _TEXTS,
        "evaluation": _TEXTS,
    },
    "engine": {
        "endpoint": _TEXT,
        "remote": _FLAG,
        "adapter": _TEXT,
        "quantization": _TEXT,
        "dtype": _TEXT,
        "tensor_parallel": _WHOLE,
        "memory_fraction": _NUMBER,
    },
    "exports": {
        "formats": _TEXTS,
        "split": _TEXT,
        "outcomes": _TEXTS,
        "decision": _TEXT,
        "strip_source": _FLAG,
    },
    "cluster": {"kind": _TEXT, "address": _TEXT, "actors": _WHOLE},
}
MOST_PRIORITY = 1_000_000
MOST_WORDS = 1_000_000
_REQUIRED = ("documents", "output", "tasks")
_TYPES: dict[str, tuple[type, ...]] = {
    _TEXT: (str,),
    _WHOLE: (int,),
    _NUMBER: (int, float),
    _FLAG: (bool,),
}


def read_job(path: Path) -> Generation:
    """Read a job file.

    Raises:
        UsageError: it cannot be read, or says something that cannot be; one key is named.
    """
    data = read_toml(path, "job file", "`bonito-local new` writes one.")
    try:
        return _generation(path, data)
    except BonitoError as error:
        raise UsageError(f"{path}: {error.title}", error.remedy) from error


def _generation(path: Path, data: dict[str, Any]) -> Generation:
    values = _checked(data)
    for key in _REQUIRED:
        if not values.get(key):
            raise UsageError(f"{key} is missing.", f"Add {key} = {_example(key)}")
    check_plan(
        values.get("limit"),
        values.get("passage_tokens"),
        values.get("target_tokens"),
        values.get("overlap_tokens", 0),
    )
    check_range("priority", values.get("priority", 0), -MOST_PRIORITY, MOST_PRIORITY)
    for key in (key for key in values if key.endswith("_words")):
        most = f"Use 1 or more, at most {MOST_WORDS:,}."
        check_range(f"checks.{key}", values[key], 1, MOST_WORDS, most)
    drawn = {name: values[name] for name in _KEYS["sampling"] if name in values}
    sampling = Sampling(**drawn | {"stop": tuple(values.get("stop", ()))})
    check_sampling(sampling)
    folder = path.resolve().parent
    tasks = parse_tasks(",".join(values["tasks"]), folder)
    labels = tuple(values.get("labels", ()))
    check_labels(tasks, labels)
    judged = {f.name: values[f.name] for f in fields(Thresholds) if f.name in values}
    checks = Thresholds(**judged | {"skip": tuple(values.get("skip", ()))})
    check_thresholds(checks, REASONS)
    engine = EngineOptions(**{name: values[name] for name in _KEYS["engine"] if name in values})
    cluster = ClusterOptions(**{name: values[name] for name in _KEYS["cluster"] if name in values})
    check_cluster(cluster)
    return Generation(
        paths=tuple(map(user_path, values["documents"])),
        tasks=tasks,
        output=folder / user_path(values["output"]),
        model=values.get("model", DEFAULT_MODEL),
        backend=values.get("backend", "llamacpp"),
        sampling=sampling,
        column=values.get("column"),
        ocr=values.get("ocr", ""),
        hidden=values.get("hidden", False),
        limit=values.get("limit"),
        prompt=_one_of(values.get("prompt", "auto"), STYLES, "prompt"),
        prompts=str(folder / user_path(values["prompts"])) if values.get("prompts") else "",
        cover=values.get("cover", False),
        verifier=values.get("verifier", ""),
        unanswerable=values.get("unanswerable", 0.0),
        reasoning=values.get("reasoning", False),
        guided=values.get("guided", False),
        labels=labels,
        tune=values.get("tune", True),
        reproducible=values.get("reproducible", False),
        engine=engine,
        cluster=cluster,
        passage_tokens=values.get("passage_tokens"),
        target_tokens=values.get("target_tokens"),
        overlap_tokens=values.get("overlap_tokens", 0),
        keep_repeats=values.get("keep_repeats", False),
        priority=values.get("priority", 0),
        checks=checks,
        balance=values.get("balance", False),
        other_jobs=tuple(map(user_path, values.get("other_jobs", ()))),
        evaluation=tuple(map(user_path, values.get("evaluation", ()))),
        folder=folder,
        exports=_exports(values),
    )


def _exports(values: dict[str, Any]) -> tuple[Export, ...]:
    split = parse_split(values.get("split", ""))
    choice = Choice((), tuple(values.get("outcomes", ())), values.get("decision", ""))
    bare = values.get("strip_source", False)
    check_export(Export("hf", split, choice, bare))
    return tuple(
        check_export(Export(name, split, choice, bare))
        for name in dict.fromkeys(values.get("formats", ()))
    )


def _checked(data: dict[str, Any]) -> dict[str, Any]:
    """The values of all tables by key, each of its type."""
    values = {}
    tables = [name for name in _KEYS if name]
    for name in tables:
        if not isinstance(data.get(name, {}), dict):
            raise UsageError(f"{name} is not a table.", f"Write [{name}] on a line of its own.")
    for table, known in _KEYS.items():
        found = data.get(table, {}) if table else {k: data[k] for k in data if k not in tables}
        for key, value in found.items():
            shown = f"{table}.{key}" if table else key
            if key not in known:
                names = [*known, *(tables if not table else ())]
                raise UsageError(f"The key {shown} is not known.", did_you_mean(key, names))
            if not _is(value, known[key]):
                raise UsageError(
                    f"{shown} is {_short(value)}, which is not {known[key]}.",
                    f"Write {key} = {_example(key)}",
                )
            values[key] = value
    return values


def _one_of(value: str, known: Sequence[str], key: str) -> str:
    if value not in known:
        raise UsageError(f"{key} is {value!r}.", did_you_mean(value, list(known)))
    return value


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == _FLAG
    if kind == _TEXTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, _TYPES[kind])


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _example(key: str) -> str:
    examples = {
        "documents": '["documents"]',
        "output": '"dataset"',
        "tasks": '["exqa", "ynqa"]',
        "model": f'"{DEFAULT_MODEL}"',
        "backend": '"llamacpp"',
        "prompt": '"auto"',
        "labels": '["a", "b"]',
        "column": '"text"',
        "ocr": '"eng"',
        "limit": "1000",
        "passage_tokens": "300",
        "target_tokens": "200",
        "overlap_tokens": "30",
        "priority": "0",
        "unanswerable": "0.1",
        "endpoint": '"http://127.0.0.1:8080"',
        "adapter": '"adapter"',
        "quantization": '"nf4"',
        "dtype": '"bfloat16"',
        "tensor_parallel": "1",
        "memory_fraction": "0.9",
        "kind": '"ray"',
        "address": '"10.0.0.1:6379"',
        "actors": "2",
        "stop": '["\\n\\n"]',
        "skip": '["repeats itself"]',
        "language": '"en"',
        "other_jobs": '["../dataset"]',
        "evaluation": '["test.jsonl"]',
        "formats": '["openai"]',
        "split": '"90/5/5"',
        "outcomes": '["accepted"]',
        "decision": '"accepted"',
    }
    default = {f.name: f.default for kind in (Sampling, Thresholds) for f in fields(kind)}
    return examples.get(key) or str(default.get(key, "false"))
