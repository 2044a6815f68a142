"""A row's question is asked again; a row that fails is written anew, about another sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from scripted import Scripted, spec

from bonito_local.backends.base import Lines, Request
from bonito_local.backends.likelihood import Likelihood
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import ModelError
from bonito_local.jobs.exchange import NOT_REPRODUCED, Verifier
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store, place
from bonito_local.passages.types import Passage
from bonito_local.writing.evidence import UNCLEAR, UNLIKELY, EvidenceWriter
from bonito_local.writing.instruct import InstructWriter
from bonito_local.writing.writer import Writer

TEXT = (
    "The rent of the flat in Leeds is 900 pounds a month. The deposit for the flat in Leeds is "
    "1,200 pounds. The tenant of the flat in Leeds may keep 2 cats."
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "store.sqlite")) as store:
        yield store


def run(
    store: Store,
    engine: Scripted,
    task: str = "exqa",
    n: int = 1,
    writer: Writer | None = None,
    texts: Sequence[str] = (TEXT,),
    **checks: object,
) -> Ledger:
    passages = [Passage(text, "lease.md", "ab" * 32, None, 0, len(text), "Rent") for text in texts]
    judge = Judge(Thresholds(**checks).settled(instruct=True))  # type: ignore[arg-type]
    job = spec(task, n=n)
    return run_job(store, engine, job, passages, judge=judge, writer=writer or InstructWriter())


def asked_again(request: Request) -> bool:
    return request.prompt.endswith("Answer:")


def about(request: Request) -> str:
    """The sentence that a row is to be about."""
    return request.prompt.rpartition("Sentence: ")[2].splitlines()[0]


def write(request: Request) -> str:
    amount = next(word for word in ("900", "1,200", "2") if word in about(request))
    thing = next(word for word in ("rent", "deposit", "tenant") if word in about(request))
    return f" How much or how many of the {thing}?\nAnswer: {amount}\n"


def test_a_row_whose_answer_comes_again_is_accepted(store: Store) -> None:
    requests: list[Request] = []

    def answer(request: Request, _: int) -> str:
        requests.append(request)
        return " 900 pounds" if asked_again(request) else write(request)

    ledger = run(store, Scripted(answer), retries=0)
    assert (ledger.planned, ledger.accepted) == (1, 1)
    first, second = requests
    assert second.prompt.startswith(first.prompt.partition("Write a question")[0])  # cached
    assert "Question: How much or how many of the rent?" in second.prompt
    assert second.sampling.temperature == 0
    assert second.shape is None  # this engine holds to nothing
    ((reread, start, end),) = store._db.execute(
        "SELECT reread, evidence_start, evidence_end FROM samples"
    )
    assert reread == "900 pounds"
    assert TEXT[start:end] == "The rent of the flat in Leeds is 900 pounds a month."


def test_a_row_whose_answer_does_not_come_again_is_rejected_with_both(store: Store) -> None:
    ledger = run(
        store,
        Scripted(lambda request, _: " 950" if asked_again(request) else write(request)),
        retries=0,
    )
    assert [(c.outcome, c.reason) for c in ledger.reasons()] == [("rejected", NOT_REPRODUCED)]
    ((completion, reread),) = store._db.execute("SELECT completion, reread FROM samples")
    assert completion.endswith("\n900")
    assert reread == "950"


def test_no_engine_is_asked_where_no_row_can_come(store: Store) -> None:
    leaning = [f"They pay {n} pounds for it on the first day of each month." for n in (7, 8, 9)]

    def answer(request: Request, _: int) -> str:
        return " 900 pounds\nQuestion: How much is the rent of the flat in Leeds a month?\n"

    for texts in (leaning[:1], [*leaning[1:2], TEXT], leaning[2:]):
        engine = Scripted(answer)
        ledger = run(store, engine, writer=EvidenceWriter(), texts=texts, round_trip=False)
        assert len(engine.asked) == (TEXT in texts)
    assert (ledger.planned, ledger.pending, ledger.accepted) == (4, 0, 1)
    assert [(c.outcome, c.reason, c.samples) for c in ledger.reasons()] == [
        ("rejected", UNCLEAR, 3)
    ]
    assert store._db.execute("SELECT count(*) FROM earlier").fetchone() == (0,)


class Judging(Scripted):
    """Finds what is said of the deposit unlikely."""

    def scorer(self) -> Judging:
        self.scored: list[tuple[str, str]] = []
        return self

    def score(self, texts: Iterable[tuple[str, str]]) -> Iterator[Likelihood | None]:
        for begun, text in texts:
            self.scored.append((begun, text))
            yield Likelihood(-9.0 if "deposit" in text else -0.1, 1)


def test_a_row_that_its_model_finds_unlikely_is_written_anew(store: Store) -> None:
    def answer(request: Request, _: int) -> str:
        thing, amount = ("deposit", "1,200") if "deposit for" in about(request) else ("rent", "900")
        return f" {amount} pounds\nQuestion: How much is the {thing} of the flat in Leeds a month?"

    text = "The deposit for the flat in Leeds is 1,200 pounds. The rent in Leeds is 900 pounds."
    engine = Judging(answer)
    ledger = run(store, engine, writer=EvidenceWriter(), texts=[text], round_trip=False)
    assert ledger.accepted == 1
    ((reason,),) = store._db.execute("SELECT reason FROM earlier")
    assert reason == UNLIKELY
    assert [said for _, said in engine.scored] == [
        " How much is the deposit of the flat in Leeds a month?",
        " 1,200 pounds",
        " How much is the rent of the flat in Leeds a month?",
        " 900 pounds",
    ]


def test_nothing_is_asked_again_where_the_user_says_so(store: Store) -> None:
    engine = Scripted(lambda request, _: write(request))
    assert run(store, engine, round_trip=False).accepted == 1
    assert len(engine.asked) == 1


def test_a_row_that_fails_is_written_about_another_sentence(store: Store) -> None:
    sentences: list[str] = []

    def answer(request: Request, _: int) -> str:
        if asked_again(request):
            return " 1,200" if "deposit" in request.prompt.rpartition("Question:")[2] else " none"
        sentences.append(about(request))
        return write(request)

    engine = Scripted(answer)
    ledger = run(store, engine)
    assert (ledger.planned, ledger.accepted) == (1, 1)
    assert len(set(sentences)) == len(sentences) > 1
    earlier = store._db.execute("SELECT attempt, outcome, reason FROM earlier").fetchall()
    assert [(number, outcome, reason) for number, outcome, reason in earlier] == [
        (number, "rejected", NOT_REPRODUCED) for number in range(len(sentences) - 1)
    ]
    assert store._db.execute("SELECT attempt FROM samples").fetchall() == [(len(sentences) - 1,)]
    assert len(set(engine.seeds.values()) - {0}) == len(sentences)  # each attempt has its own


def test_after_the_last_attempt_a_row_ends_as_it_is(store: Store) -> None:
    engine = Scripted(lambda request, _: "no lines")
    ledger = run(store, engine, retries=2)
    assert [(c.outcome, c.samples) for c in ledger.counts if c.samples] == [("unparseable", 1)]
    assert len(engine.asked) == 3
    assert store._db.execute("SELECT count(*) FROM earlier").fetchone() == (2,)


def test_samples_are_about_different_sentences(store: Store) -> None:
    sentences: list[str] = []

    def answer(request: Request, _: int) -> str:
        if asked_again(request):
            question = request.prompt.rpartition("Question:")[2]
            return " 900" if "rent" in question else " 1,200" if "deposit" in question else " 2"
        sentences.append(about(request))
        return write(request)

    assert run(store, Scripted(answer), n=3).accepted == 3
    assert len(set(sentences)) == 3


def test_a_false_row_is_right_by_the_change_that_it_keeps(store: Store) -> None:
    engine = Scripted(lambda request, _: f" Is it so that {about(request)[:-1].lower()}?")
    ledger = run(store, engine, "ynqa", n=2)
    rows = store._db.execute("SELECT completion, reread FROM samples").fetchall()
    assert ledger.planned == 2
    no = next(row for row in rows if row[0].endswith("\nno"))
    assert no[1] is None  # models take small changes for true, so they are not asked


def test_where_a_passage_stands() -> None:
    assert place("leases/office-lease_2024.md", "Rent > Deposit") == (
        "office lease 2024 > Rent > Deposit"
    )
    assert place("a/table.csv", "row 7") == "table"
    assert place("0042.txt", "") == ""


def test_a_held_completion_is_asked_for_where_the_engine_can(store: Store) -> None:
    shapes: list[object] = []

    def answer(request: Request, _: int) -> str:
        shapes.append(request.shape)
        return " 900" if asked_again(request) else write(request)

    passage = Passage(TEXT, "lease.md", "ab" * 32, None, 0, len(TEXT), "Rent")
    judge = Judge(Thresholds().settled(instruct=True))
    job = spec("exqa")
    held = type(job)(**{f: getattr(job, f) for f in job.__slots__} | {"backend": "llamacpp"})
    run_job(store, Scripted(answer), held, [passage], judge=judge, writer=InstructWriter())
    assert all(isinstance(shape, Lines) for shape in shapes)
    first = shapes[0]
    assert isinstance(first, Lines)
    assert [line.span_of for line in first.lines] == [None, TEXT.split(". ")[0] + "."]


def test_a_model_that_does_not_keep_to_the_form_ends_the_job_at_once(store: Store) -> None:
    texts = [f"The rent of house {at} is {at + 100} pounds a month for all." for at in range(90)]
    found = [Passage(text, "a.md", "ab" * 32, None, 0, len(text)) for text in texts]
    engine = Scripted(lambda request, _: "I am sorry,\nI cannot do that.")
    with pytest.raises(ModelError, match="none of its first 20 answers") as caught:
        run_job(store, engine, spec("exqa"), found, writer=InstructWriter())
    assert "It wrote: I am sorry, I cannot do that." in caught.value.title
    assert len(engine.asked) == 20
    assert store.ledger().total("unparseable") == 20  # kept
    # One that can be read is enough to go on.
    rest = Scripted(lambda request, _: "no" if len(rest.asked) > 1 else write_of(request))
    ledger = run_job(store, rest, spec("exqa"), None, writer=InstructWriter())
    assert ledger.pending == 0


def write_of(request: Request) -> str:
    amount = about(request).split(" is ")[1].split()[0]
    return f" How high is the rent of a house?\nAnswer: {amount}\n"


def test_a_second_model_checks_the_rows_of_the_first(store: Store) -> None:
    texts = [f"The rent of house {at} is {at + 100} pounds a month for all." for at in range(150)]
    found = [Passage(text, "a.md", "ab" * 32, None, 0, len(text)) for text in texts]
    writer = Scripted(lambda request, _: f"How high is the rent?<|pipe|>{house(request)}")
    order: list[str] = []

    def reread(request: Request, _: int) -> str:
        order.append(request.id)
        number = house(request)
        return f" {number}" if int(number) < 200 else " not stated"

    reader = Scripted(reread)
    judge = Judge(Thresholds(round_trip=True, near_duplicate=0))
    ledger = run_job(
        store,
        writer,
        spec("exqa"),
        found,
        judge=judge,
        verifier=Verifier(reader, InstructWriter()),
    )
    assert ledger.accepted == 100
    assert ledger.total("rejected") == 50
    assert len(order) == len(writer.asked) == 150
    assert ledger.pending == 0


def house(request: Request) -> str:
    """The number of pounds in the passage of a request."""
    return request.prompt.rpartition(" pounds a month")[0].split()[-1]


def test_a_verifier_judges_false_rows_too(store: Store) -> None:
    engine = Scripted(lambda request, _: f" Is it so that {about(request)[:-1].lower()}?")
    passage = Passage(TEXT, "lease.md", "ab" * 32, None, 0, len(TEXT), "Rent")
    judge = Judge(Thresholds(round_trip=True, near_duplicate=0))
    reader = Scripted(lambda request, _: " no")
    verifier = Verifier(reader, InstructWriter())
    job = spec("ynqa", n=2)
    run_job(store, engine, job, [passage], judge=judge, writer=InstructWriter(), verifier=verifier)
    rows = store._db.execute("SELECT completion, outcome, reread FROM samples").fetchall()
    assert {(text[-2:], outcome, reread) for text, outcome, reread in rows} == {
        ("no", "accepted", "no"),
        ("es", "rejected", "no"),
    }
