"""Jobs with reasoning: a second reading reasons, and what led it to a row's answer is kept."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scripted import Scripted, spec

from bonito_local.backends.base import Completion, Lines, Request
from bonito_local.checks.thresholds import Thresholds
from bonito_local.cli.main import cli
from bonito_local.errors import OtherSettingsError, UsageError
from bonito_local.jobs import generate as job
from bonito_local.jobs.exchange import NOT_REPRODUCED, Verifier
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.generate import generate
from bonito_local.jobs.generation import Generation, as_json, from_json
from bonito_local.jobs.jobfile import read_job
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.launch import save
from bonito_local.jobs.output import write_output
from bonito_local.jobs.prompts import BONITO, writer_of
from bonito_local.jobs.review import Review
from bonito_local.jobs.rows import Filter
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store
from bonito_local.jobs.unanswerable import add_unanswerable
from bonito_local.passages.types import Passage
from bonito_local.tasks import task_type
from bonito_local.writing.promptset import package_prompts, read_prompts
from bonito_local.writing.writer import Assignment, Claim, Writer

TEXT = (
    "The rent of the flat in Leeds is 900 pounds a month. The deposit for the flat in Leeds is "
    "1,200 pounds. The tenant of the flat in Leeds may keep 2 cats."
)
PASSAGE = Passage(TEXT, "lease.md", "ab" * 32, None, 0, len(TEXT), "Rent")
WRITER = writer_of("instruct", {}, reasoning=True)
WHY = "The text says that the rent of the flat is 900 pounds a month."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "store.sqlite")) as store:
        yield store


def reasoned(request: Request) -> bool:
    return request.prompt.endswith("Reasoning:")


def answering(read: Callable[[Request], str]) -> Scripted:
    """An engine that writes a row about the rent, and reads it again with `read`."""
    row = " How high is the rent of the flat in Leeds?\nAnswer: 900 pounds\n"
    return Scripted(
        lambda request, _: read(request) if request.id.partition("/check")[1] else row,
    )


def run(
    store: Store,
    engine: Scripted,
    task: str = "exqa",
    n: int = 1,
    writer: Writer = WRITER,
    verifier: Verifier | None = None,
    retries: int = 0,
) -> None:
    checks = Thresholds(retries=retries, round_trip=True, stand_alone=False, near_duplicate=0)
    wanted = replace(spec(task, n=n), reasoning=True)
    judge = Judge(checks.settled(instruct=True))
    run_job(store, engine, wanted, [PASSAGE], judge=judge, writer=writer, verifier=verifier)


def ends(store: Store) -> list[tuple[str, str, str | None, str | None]]:
    return store._db.execute(
        "SELECT outcome, reason, reread, reasoning FROM samples ORDER BY id"
    ).fetchall()


def test_the_reasoning_that_comes_to_the_answer_is_kept(store: Store) -> None:
    requests: list[Request] = []

    def read(request: Request) -> str:
        requests.append(request)
        return f" {WHY}\nAnswer: 900\n"

    engine = answering(read)
    run(store, engine)
    assert ends(store) == [("accepted", "", "900", WHY)]
    assert len(engine.asked) == 2  # no more than without
    (request,) = requests
    assert reasoned(request)
    assert "Question: How high is the rent" in request.prompt
    assert "Before the answer, write one or two sentences" in request.prompt
    assert (request.sampling.temperature, request.sampling.max_tokens) == (0, 128 + 48)


def test_another_answer_rejects_the_row_whatever_the_reasoning(store: Store) -> None:
    run(store, answering(lambda _: f" {WHY}\nAnswer: 1,200 pounds"))
    assert ends(store) == [("rejected", NOT_REPRODUCED, "1,200 pounds", None)]


def test_a_reasoning_that_is_of_no_use_leaves_the_row(store: Store) -> None:
    run(store, answering(lambda _: " The answer is 900 pounds.\nAnswer: 900 pounds"))
    assert ends(store) == [("accepted", "", "900 pounds", None)]


def test_an_endless_reasoning_is_followed_by_the_plain_question(store: Store) -> None:
    class Talking(Scripted):
        def generate(self, requests: object) -> Iterator[Completion]:
            for done in super().generate(requests):  # type: ignore[arg-type]
                cut = done.request_id.endswith("/check")
                yield replace(done, finish_reason="length") if cut else done

    prompts: list[str] = []

    def read(request: Request) -> str:
        prompts.append(request.prompt)
        return " Well, well, well" if reasoned(request) else " 900 pounds"

    run(store, Talking(answering(read).answer))
    assert ends(store) == [("accepted", "", "900 pounds", None)]
    assert [prompt.rpartition("\n")[2] for prompt in prompts] == ["Reasoning:", "Answer:"]


@pytest.mark.parametrize("answer", ["no", "yes"])
def test_a_changed_sentence_is_reasoned_about_but_never_rejected(store: Store, answer: str) -> None:
    why = "The text names another number of cats, pounds or the like than the question does."

    def write(request: Request, _: int) -> str:
        if reasoned(request):
            return f" {why}\nAnswer: {answer}"
        sentence = request.prompt.rpartition("Sentence: ")[2].splitlines()[0]
        return f" Is it so that {sentence[:-1].lower()}?"

    run(store, Scripted(write), "ynqa", n=2, retries=2)
    rows = store._db.execute(
        "SELECT outcome, reread, reasoning FROM samples WHERE response = 'no'"
    ).fetchall()
    agreed = answer == "no"
    assert rows == [("accepted", answer if agreed else None, why if agreed else None)]


def test_a_verifier_reasons_in_the_models_place(store: Store) -> None:
    engine = Scripted(lambda *_: "How high is the rent of the flat in Leeds?<|pipe|>900 pounds")
    reader = Scripted(lambda request, _: f" {WHY}\nAnswer: 900 pounds" if reasoned(request) else "")
    run(store, engine, writer=BONITO, verifier=Verifier(reader, WRITER))
    assert ends(store) == [("accepted", "", "900 pounds", WHY)]


def test_lines_are_held_where_the_engine_can() -> None:
    about = Assignment(task_type("nli"), TEXT)
    claim = Claim("statement", "The tenant may keep 3 cats.", "false")
    ask, plain = WRITER.reread(about, claim), WRITER.reread(about, claim, plainly=True)
    assert ask
    assert isinstance(ask.shape, Lines)
    assert [(line.name, line.choices) for line in ask.shape.lines] == [
        ("Reasoning", ()),
        ("Answer", ("true", "false", "not stated")),
    ]
    assert plain
    assert (ask.reasons, plain.reasons) == (True, False)
    assert plain.prompt.endswith("Statement: The tenant may keep 3 cats.\nAnswer:")
    # The same stands before both, and is computed once.
    assert ask.prompt.partition(TEXT)[0] == plain.prompt.partition(TEXT)[0]
    assert ask.prompt.partition(TEXT)[0] == WRITER.ask(about).prompt.partition(TEXT)[0]


def test_rows_without_an_answer_have_reasoning_too(store: Store) -> None:
    run(store, answering(lambda _: f" {WHY}\nAnswer: 900 pounds"))
    other = "The deposit of the flat in York is due on the first day of the month in cash."
    added = Passage(other, "lease.md", "ab" * 32, None, 0, len(other), "Deposit")
    wanted = replace(spec("exqa"), reasoning=True)
    none = Scripted(lambda *_: "no row")
    judge = Judge(Thresholds(near_duplicate=0, round_trip=True, retries=0))
    run_job(store, none, wanted, [added], judge=judge, writer=WRITER)
    why = "The text is about the deposit of the flat in York, and names no rent."
    reader = Scripted(lambda request, _: f" {why}\nAnswer: not stated" if reasoned(request) else "")
    add_unanswerable(store, Verifier(reader, WRITER), wanted, 1.0, judge)
    assert [(row.output, row.reasoning) for row in store.chosen()] == [
        ("900 pounds", WHY),
        ("not stated", why),
    ]


def test_a_row_that_a_person_changed_has_no_reasoning(tmp_path: Path) -> None:
    path = tmp_path / "out" / ".bonito-local"
    path.mkdir(parents=True)
    with closing(Store(path / "job.sqlite")) as store:
        run(store, answering(lambda _: f" {WHY}\nAnswer: 900 pounds"))
        with closing(Review(path / "job.sqlite")) as review:
            (number,) = review.first(Filter(), 5)
            assert review.page([number])[0].reasoning == WHY
            assert [row.reasoning for row in store.chosen()] == [WHY]
            review.edit(number, "How much is it?", "It is 900 pounds.")
            assert review.page([number])[0].reasoning == ""
            assert [row.reasoning for row in store.chosen()] == [""]
        assert store.ask_again(["accepted"]) == 1
        assert store._db.execute("SELECT reasoning FROM samples").fetchall() == [(None,)]


@pytest.mark.parametrize("format_", ["hf", "csv"])
def test_the_column_is_there_in_jobs_with_reasoning_alone(tmp_path: Path, format_: str) -> None:
    for name, reasoning in (("with", True), ("without", False)):
        with closing(Store(tmp_path / f"{name}.sqlite")) as store:
            writer = WRITER if reasoning else writer_of("instruct", {})
            judge = Judge(Thresholds(retries=0, round_trip=True, retrieval_rank=0))
            wanted = replace(spec("exqa"), reasoning=reasoning)
            engine = answering(lambda r: f" {WHY}\nAnswer: 900" if reasoned(r) else " 900")
            run_job(store, engine, wanted, [PASSAGE], judge=judge, writer=writer)
            write_output(store, tmp_path / name, Export(format_))
    files = [tmp_path / name for name in ("with", "without")]
    if format_ == "csv":
        texts = [(file / "train.csv").read_text(encoding="utf-8-sig") for file in files]
        rows = [next(csv.DictReader(io.StringIO(text, newline=""))) for text in texts]
    else:
        rows = [json.loads((file / "rows.jsonl").read_text()) for file in files]
        tables = [pq.read_table(file / "data" / "train.parquet") for file in files]
        assert tables[0]["reasoning"].to_pylist() == [WHY]
        assert tables[0].column_names == list(rows[0])
        assert "reasoning" not in tables[1].column_names
    assert rows[0]["reasoning"] == WHY
    assert list(rows[0])[list(rows[0]).index("output") + 1] == "reasoning"
    assert "reasoning" not in rows[1]
    cards = ["`reasoning`" in (file / "README.md").read_text() for file in files]
    assert cards == [True, False]


def test_a_job_keeps_to_what_it_was_begun_with(store: Store) -> None:
    run(store, answering(lambda _: f" {WHY}\nAnswer: 900 pounds"))
    with pytest.raises(OtherSettingsError, match="reasoning 'yes' -> None"):
        store.bind(spec("exqa").settings())


@pytest.fixture
def wanted(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Generation:
    monkeypatch.setattr(job, "read_documents", lambda *_, **__: iter([PASSAGE]))
    tasks = (task_type("exqa"),)
    return Generation((tmp_path,), tasks, tmp_path / "out", str(tiny_gguf), reasoning=True)


def test_the_option_goes_through_job_files_and_requests(wanted: Generation, tmp_path: Path) -> None:
    assert from_json(as_json(wanted), wanted.output).reasoning
    save(wanted, tmp_path / "job.toml")
    assert read_job(tmp_path / "job.toml").reasoning
    save(replace(wanted, reasoning=False), tmp_path / "other.toml")
    assert "\nreasoning" not in (tmp_path / "other.toml").read_text()


def test_a_job_writes_and_shows_the_reasoning(
    wanted: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = answering(lambda request: f" {WHY}\nAnswer: 900" if reasoned(request) else "")
    monkeypatch.setattr(job, "open_engine", lambda *_: engine)
    assert generate(replace(wanted, prompt="instruct")).rows == 1
    (line,) = (wanted.output / "rows.jsonl").read_text().splitlines()
    assert json.loads(line)["reasoning"] == WHY
    shown = CliRunner().invoke(cli, ["review", str(wanted.output)]).output
    assert "  because The text says that the rent of the flat is 900 pounds a month." in shown


@pytest.mark.parametrize("style", ["bonito", "evidence"])
def test_models_that_write_rows_alone_are_refused(wanted: Generation, style: str) -> None:
    with pytest.raises(UsageError, match="gives no reasoning") as caught:
        generate(replace(wanted, prompt=style))
    assert "--verifier" in caught.value.remedy
    with pytest.raises(UsageError, match="gives no reasoning"):
        writer_of("auto", {"bonito.writer": "evidence"}, reasoning=True)
    with pytest.raises(UsageError, match="gives no reasoning"):
        writer_of("auto", {"bonito.task_types": "exqa"}, reasoning=True)


def test_without_a_second_reading_there_is_no_reasoning(wanted: Generation) -> None:
    with pytest.raises(UsageError, match="second reading"):
        generate(replace(wanted, prompt="instruct", checks=Thresholds(round_trip=False)))


def test_prompts_of_the_users_have_to_ask_for_it(tmp_path: Path) -> None:
    text = package_prompts().text("conversation")
    lines = [line for line in text.splitlines() if not line.startswith("reasoning = ")]
    (tmp_path / "conversation.toml").write_text("\n".join(lines))
    prompts = read_prompts(tmp_path)
    with pytest.raises(UsageError, match=r"conversation\.toml has no reasoning"):
        writer_of("instruct", {}, prompts, reasoning=True)
    assert writer_of("instruct", {}, prompts)


def test_the_examples_of_reasoning_are_shown_where_it_is_asked_for() -> None:
    said = package_prompts().conversation
    more = [turn for turn in said.reasoned if turn not in said.turns]
    assert said.shown(reasoning=False) == said.turns
    assert [turn for turn in said.reasoned if turn in said.turns] == list(said.turns)
    assert len(more) >= 3
    assert all(answer.startswith("Reasoning: ") for _, answer in more)
    assert all(said.reasoning in asked for asked, _ in more)
