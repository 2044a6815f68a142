"""New job files: a text that says everything there is to say, what is usual as comments."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bonito_local.backends.base import Sampling
from bonito_local.errors import OutputError, UsageError


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
# Relative paths are relative to this file. A line behind # is an example, not the default.

documents = {documents}   # files, and folders with all they hold
output = {output}   # folder of the dataset and of the job
tasks = {tasks}   # `bonito-local tasks` lists the 16 there are
model = {model}   # a name, or a GGUF file
backend = {backend}   # the engine; `run --backend` names another
# prompt = "instruct"   # how the model is asked; "auto" looks at what it was made for
# prompts = "prompts"   # folder of prompts in place of the package's
# verifier = "FILE.gguf"   # a second model that rows are checked by
# cover = true   # as many rows as a passage has sentences worth one
# unanswerable = 0.1   # share of exqa and qa rows asked again of a passage without the answer
# reasoning = true   # keep the reasoning that leads to each answer
# guided = true   # draw only what parses and fits the task type
# labels = ["a", "b"]   # the labels of topic_class
# reproducible = true   # one row at a time: the same bits each run
# tune = false   # do not measure this machine on first use
# priority = 0   # of jobs that wait for an engine the highest is next

[splitting]
# column = "text"   # text column of .jsonl, .csv and .parquet files
# ocr = "eng"   # read scanned pages too, in this language, by Tesseract's data
# hidden = true   # read hidden sheets, rows, slides and text, comments, tracked deletions
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
# retrieval_rank = 3   # a question must find its passage among so many results; 0: no search
# round_trip = true   # a row's question is asked again; another answer rejects the row
# retries = 2   # how often a row that fails is written anew, about another sentence
# stand_alone = true   # a question must be clear without its page
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
