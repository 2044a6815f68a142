"""Task types of the user's own: files, mistakes in them, jobs of them, and the packs that ship."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from tiny_checkpoint import byte_level_tokenizer, write_checkpoint

from bonito_local.backends.checkpoint import read_checkpoint
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.transformers.texts import Texts
from bonito_local.checks.rules import check
from bonito_local.cli.main import run
from bonito_local.convert.pipeline import convert
from bonito_local.errors import OtherSettingsError, UsageError
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.generation import Generation, as_json, from_json
from bonito_local.jobs.guided import shape_of
from bonito_local.jobs.jobfile import read_job
from bonito_local.jobs.own_tasks import (
    as_plain,
    find_tasks,
    from_plain,
    read_task,
    remember,
    write_task,
)
from bonito_local.jobs.prompts import writer_of
from bonito_local.jobs.spec import parse_tasks
from bonito_local.jobs.store import Store
from bonito_local.models.fit import metadata
from bonito_local.tasks import CONTEXT, PIPE, format_prompt, parse_completion, task_type
from bonito_local.writing.writer import Assignment

PACKS = Path(__file__).parents[2] / "examples" / "tasks"
GOOD = """\
name = "clause classification"
meaning = "which kind of clause the passage is"
labels = ["payment", "notice", "other"]
instructions = ["{{context}}\\n\\nWhich of {{labels}}?"]
[checks]
instruction_words = 50
skip = ["asks nothing"]
"""


def write(folder: Path, text: str = GOOD, name: str = "clause.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_file_becomes_a_type(tmp_path: Path) -> None:
    task = read_task(write(tmp_path))
    assert (task.short, task.name, task.own) == ("clause", "clause classification", True)
    assert task.labels == ("payment", "notice", "other")
    assert task.templates == (f"{CONTEXT}\n\nWhich of {{{{labels}}}}?",)
    assert task.limits == (("instruction_words", 50), ("skip", ("asks nothing",)))
    assert (task.instruction, task.response) == ("Which of payment, notice, other?", "payment")
    assert format_prompt(task, "A.").startswith("<|tasktype|>\nclause classification\n<|context|>")
    assert from_plain(json.loads(json.dumps(as_plain(task)))) == task
    assert as_plain(task_type("exqa")) == "exqa"
    write_task(task, tmp_path / "again" / "clause.toml")
    assert read_task(tmp_path / "again" / "clause.toml") == task
    wanted = Generation(
        (tmp_path,), (task, task_type("qa")), tmp_path / "out", "m", folder=tmp_path
    )
    assert from_json(json.loads(json.dumps(as_json(wanted))), tmp_path / "out") == wanted


def test_its_labels_and_limits_are_checked(tmp_path: Path) -> None:
    task = read_task(write(tmp_path))
    passage = "Notice must be given in writing."
    for said, reason in (("Notice.", None), ("contract", "response is not a label")):
        text = f"{CONTEXT}\nWhich kind?{PIPE}{said}"
        pair = parse_completion(text, passage)
        assert pair is not None
        assert check(task, pair, passage, text) == reason
        # The labels of topic_class are another type's.
        assert check(task, pair, passage, text, labels=("contract", "law")) == reason
    long = f"{'word ' * 60}{PIPE}notice"
    pair = parse_completion(long, passage)
    assert pair is not None
    assert "instruction too long" in (check(task, pair, passage, long), "instruction too long")
    assert shape_of(task, passage).choices == task.labels
    like = write(tmp_path, GOOD.replace("labels =", "# l").replace("{{labels}}", "it"), "b.toml")
    like.write_text(like.read_text() + 'like = "exqa"\n')
    spans = read_task(like)
    assert shape_of(spans, passage).span_of == passage
    text = f"What?{PIPE}by mail"
    pair = parse_completion(text, passage)
    assert pair is not None
    assert check(spans, pair, passage, text) == "response is not in the passage"


@pytest.mark.parametrize(
    ("old", "new", "title", "remedy"),
    [
        ("labels =", "lables =", "The key lables is not known", "'labels'"),
        ("[checks]", "[check]", "The key check is not known", "'checks'"),
        (
            '"which kind of clause the passage is"',
            "3",
            "meaning is missing, or not a text",
            '"..."',
        ),
        ("{{context}}", "", "does not hold the passage", "{{context}}"),
        ('"payment", "notice", "other"', '"payment"', "not a label set", "two or more"),
        ('["payment", "notice", "other"]', '"payment"', "labels is not a list", "["),
        ('labels = ["payment", "notice", "other"]', "", "there are no labels", "labels"),
        ("instruction_words = 50", "instruction_word = 5", "checks.instruction_word is not", "wor"),
        (
            "instruction_words = 50",
            "instruction_words = 0",
            "checks.instruction_words is 0",
            "1 or",
        ),
        ("instruction_words = 50", "repetition = true", "checks.repetition is True", "0.5"),
        ('["asks nothing"]', '["asks"]', "No row is rejected for 'asks'", "asks nothing"),
        ("[checks]", '[checks]\nlike = "qa"', "do not go together", "Leave one"),
        ('"clause classification"', '"Summarization"', "one of the 16", "another name"),
        ('"clause classification"', '"a <|pipe|> b"', "holds a marker", "without"),
        ("[checks]", "[checks", "is not TOML", "quotes"),
        ("[checks]", "[example]\ntext = 'x'\n[checks]", "example.text is not known", "instruct"),
    ],
)
def test_a_mistake_is_one_error_that_names_the_key(
    tmp_path: Path, old: str, new: str, title: str, remedy: str
) -> None:
    assert old in GOOD
    file = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UsageError) as caught:
        read_task(file)
    assert title in caught.value.title
    assert str(file) in caught.value.title
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_names_of_files(tmp_path: Path) -> None:
    for name in ("exqa.toml", "Clause.toml", "1st.toml"):
        with pytest.raises(UsageError, match="cannot be called"):
            read_task(write(tmp_path, name=name))
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        find_tasks(str(tmp_path / "gone.toml"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no task file"):
        find_tasks(str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="Unknown task type"):
        find_tasks("claus")


def test_a_job_keeps_the_definitions_it_began_with(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    first = read_task(write(tmp_path))
    assert remember(store, [first, task_type("qa")])["clause"] == first
    assert remember(store, [])["clause"] == first  # its pending samples are asked for later
    other = read_task(write(tmp_path, GOOD.replace("notice", "payments")))
    with pytest.raises(OtherSettingsError, match="another task type 'clause'"):
        remember(store, [other])
    store.close()


def test_jobs_of_own_types(
    tmp_path: Path,
    tiny_gguf: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "types").mkdir()
    (tmp_path / "jobs").mkdir()
    write(tmp_path / "types", GOOD.replace("labels", "# l").replace("{{# l}}", "it"), "own.toml")
    (tmp_path / "a.txt").write_text("Either party may end the agreement by thirty days' notice.")
    new = ["new", "jobs/job.toml", "a.txt", "-t", "exqa,types/own.toml", "--backend", "fake"]
    assert run([*new, "-m", str(tiny_gguf), "-o", "out"]) == 0
    wanted = read_job(tmp_path / "jobs" / "job.toml")
    assert [task.short for task in wanted.tasks] == ["exqa", "own"]
    assert run(["run", "jobs/job.toml"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert [row["task_type"] for row in rows] == ["exqa", "own"]
    # The file may go: a job that goes on knows its types.
    (tmp_path / "types" / "own.toml").unlink()
    with closing(Store(store_path(tmp_path / "out"))) as store:
        assert store.ask_again(["accepted"]) == 2
    assert run(["resume", "out"]) == 0
    assert run(["status", "out"]) == 0
    assert "own" in capsys.readouterr().out


@pytest.mark.parametrize("pack", ["law", "medicine", "finance"])
def test_the_packs(pack: str, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = parse_tasks(str(PACKS / pack))
    assert len(tasks) == len(list((PACKS / pack).glob("*.toml"))) == 3
    assert run(["tasks", str(PACKS / pack)]) == 0
    assert tasks[0].name in capsys.readouterr().out
    for task in tasks:
        # Its own example passes, of a passage that holds it.
        passage = f"{task.response} is what the passage says, with some words before and after it."
        text = f"{CONTEXT}\n{task.instruction}{PIPE}{task.response}"
        pair = parse_completion(text, passage)
        assert pair is not None
        found = check(task, pair, passage, text)
        assert found in (None, "question is not about the passage") or task.response == "..."


@pytest.mark.parametrize("file", sorted(PACKS.rglob("*.toml")), ids=lambda file: file.stem)
def test_a_task_that_is_written_is_read_again(file: Path, tmp_path: Path) -> None:
    task = read_task(file)
    write_task(task, tmp_path / file.name)
    assert read_task(tmp_path / file.name) == task


CHAT = (
    "{% for message in messages %}<s>{{ message['role'] }}\n{{ message['content'] }}</s>"
    "{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


def test_a_converted_chat_model_is_asked_in_its_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = CHAT
    write_checkpoint(tmp_path / "chat", tokenizer=tokenizer, layers=2)
    convert(tmp_path / "chat", tmp_path / "chat.gguf", quant="Q8_0")
    with closing(LlamaCpp(tmp_path / "chat.gguf", Settings(n_seq=1))) as engine:
        writer = writer_of("auto", metadata(engine))
        about = Assignment(read_task(write(tmp_path)), "Pay by </s> noon.")
        prompt = writer.ask(about).prompt
        assert prompt.startswith("<s>user\nPay by </s> noon.\n\nWhich of payment, notice, other?")
        # BOS once, then the template's own tokens; what the passage calls one is text.
        tokens = engine._model.prompt(prompt).tolist()
        assert (tokens.count(0), tokens.count(1)) == (2, 1)
    # Engines of checkpoints ask it the same.
    again = writer_of("auto", read_checkpoint(tmp_path / "chat").metadata)
    assert again.ask(about).prompt == prompt
    assert Texts(tmp_path / "chat").encode(prompt) == tokens
    (tmp_path / "a.txt").write_text("Either party may end the agreement by thirty days' notice.")
    command = ["generate", str(tmp_path / "a.txt"), "-t", str(write(tmp_path)), "--n", "6"]
    command += ["-m", str(tmp_path / "chat.gguf"), "--max-tokens", "6", "-o", str(tmp_path / "out")]
    assert run(command) in (0, 1)
    with closing(Store(store_path(tmp_path / "out"))) as store:
        ledger = store.ledger()
        assert (ledger.planned, ledger.pending, ledger.total("unparseable")) == (6, 0, 0)
        found = store._db.execute("SELECT instruction FROM samples").fetchall()
        assert {text for (text,) in found if text} == {
            "Either party may end the agreement by thirty days' notice.\n\n"
            "Which of payment, notice, other?"
        }
