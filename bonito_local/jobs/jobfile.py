"""Job files: what to generate, in TOML.

Relative paths in one are relative to its folder. docs/jobs.md describes every key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.backends.cluster.options import ClusterOptions, check_cluster
from bonito_local.checks.rules import REASONS
from bonito_local.checks.thresholds import Thresholds, check_thresholds
from bonito_local.errors import BonitoError, OutputError, UsageError, did_you_mean
from bonito_local.exports.splits import parse_split
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.exportspec import Export, check_export
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.guided import check_labels
from bonito_local.jobs.prompts import STYLES
from bonito_local.jobs.spec import check_sampling, parse_tasks
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
        "prompt": _TEXT,
        "guided": _FLAG,
        "labels": _TEXTS,
        "reproducible": _FLAG,
        "tune": _FLAG,
        "priority": _WHOLE,
    },
    "splitting": {
        "column": _TEXT,
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
    for key in ("limit", "passage_tokens", "target_tokens"):
        if (number := values.get(key)) is not None and number < 1:
            raise UsageError(f"splitting.{key} is {number}.", "Use 1 or more, or leave it out.")
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
        paths=tuple(Path(name).expanduser() for name in values["documents"]),
        tasks=tasks,
        output=folder / Path(values["output"]).expanduser(),
        model=values.get("model", "bonito-tiny"),
        backend=values.get("backend", "llamacpp"),
        sampling=sampling,
        column=values.get("column"),
        limit=values.get("limit"),
        prompt=_one_of(values.get("prompt", "auto"), STYLES, "prompt"),
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
        other_jobs=tuple(Path(name).expanduser() for name in values.get("other_jobs", ())),
        evaluation=tuple(Path(name).expanduser() for name in values.get("evaluation", ())),
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
        "model": '"bonito-tiny"',
        "backend": '"llamacpp"',
        "prompt": '"auto"',
        "labels": '["a", "b"]',
        "column": '"text"',
        "limit": "1000",
        "passage_tokens": "300",
        "target_tokens": "200",
        "overlap_tokens": "30",
        "priority": "0",
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


def write_job(
    path: Path,
    documents: Sequence[str],
    tasks: Sequence[str],
    output: str,
    model: str,
    backend: str,
    sampling: Sampling | None = None,
    others: Mapping[str, object] | None = None,
) -> None:
    """Write a job file that says everything there is to say, what is usual as comments.

    `others` are values for keys that are comments else.

    Raises:
        OutputError: the file exists, or cannot be written.
    """
    text = _TEMPLATE.format(
        documents=_quoted(list(documents)),
        output=_quoted(output),
        tasks=_quoted(list(tasks)),
        model=_quoted(model),
        backend=_quoted(backend),
        sampling=sampling or Sampling(),
    )
    for key, value in (others or {}).items():
        comment = re.search(rf"^# {key} = .*?(?=   #)", text, re.MULTILINE)
        if comment:
            said = f"{key} = {json.dumps(value, ensure_ascii=False)}"
            text = text[: comment.start()] + said + text[comment.end() :]
    try:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
    except FileExistsError as error:
        raise OutputError(f"{path} exists.", "Name another file, or edit that one.") from error
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.", "Name a file you may write."
        ) from error


def _quoted(value: str | list[str]) -> str:
    """As TOML, which is JSON here but for one character."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            "A name that is not UTF-8 cannot stand in a job file.",
            "Rename it, name the folder it is in, or use `bonito-local generate`.",
        ) from error
    return text.replace("\x7f", "\\u007f")


_TEMPLATE = """\
# A job of bonito-local: `bonito-local run FILE` runs it, and goes on with it.
# Relative paths are relative to this file.

documents = {documents}   # files, and folders with all they hold
output = {output}   # folder of the dataset and of the job
tasks = {tasks}   # `bonito-local tasks` lists the 16 there are
model = {model}   # a name, or a GGUF file
backend = {backend}   # the engine; `run --backend` names another
# prompt = "instruct"   # how the model is asked; "auto" looks at what it was made for
# guided = true   # draw only what parses and fits the task type
# labels = ["a", "b"]   # the labels of topic_class
# reproducible = true   # one row at a time: the same bits each run
# tune = false   # do not measure this machine on first use
# priority = 0   # of jobs that wait for an engine the highest is next

[splitting]
# column = "text"   # text column of .jsonl, .csv and .parquet files
# limit = 1000   # read at most this many passages
# passage_tokens = 300   # most tokens of a passage; else what suits the model
# target_tokens = 200   # what the parts of a long section aim at; else 85% of that
# overlap_tokens = 30   # of the part before, in whole sentences; else none
# keep_repeats = true   # passages too that repeat others almost word for word

# Another value here than the rows in the output were drawn with is refused.
[sampling]
n = {sampling.n}   # rows per passage and task; more of them add rows
temperature = {sampling.temperature}   # 0 is greedy
top_p = {sampling.top_p}
max_tokens = {sampling.max_tokens}   # of a row
seed = {sampling.seed}
# stop = ["\\n\\n"]   # texts that end a completion

# What rows have to pass; those that do not are kept in the job with the reason.
[checks]
# balance = true   # as many rows of each label in the dataset
# near_duplicate = 0.8   # rows this alike are duplicates; 0 looks for the same text only
# other_jobs = ["../dataset"]   # outputs of jobs whose rows are not wanted again
# evaluation = ["test.jsonl"]   # sets that no row may give away
# evaluation_words = 13   # a run of words that gives one away
# answer_words = 40   # most words of a short answer
# answer_share = 0.5   # most of its passage that an answer may be
# question_overlap = 0.5   # least of the words of a question that its passage has too
# summary_share = 1.0   # a summary is shorter than this share of its passage
# repetition = 0.5   # most of a text that may repeat itself
# paraphrase_overlap = 0.95   # most words that a paraphrase may share with its source
# instruction_words = 400   # most words of an instruction, without its passage
# response_words = 400   # most words of a response
# language = "en"   # "" for any
# skip = ["repeats itself"]   # reasons for which no row is rejected

[engine]
# endpoint = "http://127.0.0.1:8080"   # with backend openai, where the server listens
# remote = true   # it may be another machine, which then sees your passages
# adapter = "adapter"   # folder of a LoRA adapter, applied as the model runs
# quantization = "nf4"   # of weights as they load: nf4 or fp8
# dtype = "bfloat16"   # or float16, float32; else what suits
# tensor_parallel = 1   # GPUs that share each layer
# memory_fraction = 0.9   # of a GPU's memory

# Written at the end to exports/ in the output, beside the dataset.
[exports]
# formats = ["openai"]   # `bonito-local export --help` lists them
# split = "90/5/5"   # train, validation and test, by document
# outcomes = ["accepted"]   # rows that ended so; else those that are kept
# decision = "accepted"   # only rows that you accepted in the review
# strip_source = true   # without the columns that say where a row came from

# Engines in many processes: `bonito-local run --cluster ray` does the same once.
[cluster]
# kind = "ray"   # started on this machine, for this job
# address = "10.0.0.1:6379"   # or one that you run: its nodes see your passages
# actors = 2   # engines; else one for each GPU, or node
"""
