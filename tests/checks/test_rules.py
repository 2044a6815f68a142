import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.rules import CHECKS, REASONS, check, findings, normalize
from bonito_local.checks.standing import STANDING
from bonito_local.checks.thresholds import Thresholds, check_thresholds
from bonito_local.errors import UsageError
from bonito_local.jobs.guided import shape_of
from bonito_local.tasks import CONTEXT, PIPE, TASK_TYPES, Pair, parse_completion, task_type

PASSAGE = "Either party may end this\nagreement by giving Thirty days' written notice."
LONG = (
    "The tenant Nora Quill pays 1,250 euros on the first working day of each month. The landlord "
    "returns the deposit of three months' rent within thirty days. The European Union is no party."
)


def verdict(task: str, completion: str, passage: str = PASSAGE, **of: object) -> str | None:
    pair = parse_completion(completion, passage)
    assert pair is not None
    return check(task_type(task), pair, passage, completion, Thresholds(**of))  # type: ignore[arg-type]


EXAMPLES: list[tuple[str, str, str | None]] = [
    # every task type
    ("qa", f"How?{PIPE}By notice.", None),
    ("qa", f" {PIPE}By notice.", "empty instruction"),
    ("qa", f"How?{PIPE}\n", "empty response"),
    ("qa", f"How? <|task|>{PIPE}By notice.", "leaked marker"),
    ("qa", f"How?{PIPE}By <|context|> notice.", "leaked marker"),
    ("qa", f" {CONTEXT} {PIPE}By notice.", "instruction is only the passage"),
    ("qa", f"- {CONTEXT} --{PIPE}By notice.", "instruction is only the passage"),
    ("qa", f"{CONTEXT} How?{PIPE}By notice.", None),
    ("qa", f"How?{PIPE}{CONTEXT}", "response is only the passage"),
    ("text_gen", f"Write a clause on notice.{PIPE}{CONTEXT}", None),
    ("qa", f"{CONTEXT} How is it ended?{PIPE}How is it ended?", "response repeats the instruction"),
    ("qa", f"Question answering without choices{PIPE}notice", "copied prompt"),
    ("qa", f"How?{PIPE}[Answer]", "placeholder text"),
    ("qa", f"How?{PIPE}...", "placeholder text"),
    ("qa", f"How does {{{{name}}}} end it?{PIPE}By notice.", "placeholder text"),
    ("qa", f"How?{PIPE}by notice by notice by notice by notice", "repeats itself"),
    ("qa", f"How? How? How? How?{PIPE}by notice", "repeats itself"),
    (
        "qa",
        f"Wie kann man den Vertrag beenden? \u0427\u0442\u043e \u044d\u0442\u043e{PIPE}"
        "\u0441\u043e\u0433\u043b\u0430\u0448\u0435\u043d\u0438\u0435",
        "not English",
    ),
    (
        "qa",
        f"How?{PIPE}Jede Partei kann diesen Vertrag mit einer Frist von dreißig Tagen schriftlich "
        "kündigen.",
        "not English",
    ),
    (
        "qa",
        f"How {'and why ' * 1}{' '.join(f'w{i}' for i in range(500))}?{PIPE}x",
        "instruction too long",
    ),
    (
        "text_gen",
        f"Write.{PIPE}notice is {' '.join(f'w{i}' for i in range(500))}",
        "response too long",
    ),
    # questions and answers
    ("exqa", f"What?{PIPE}this agreement", None),
    ("exqa", f"What?{PIPE}THIRTY  days'", None),
    ("exqa", f"What?{PIPE}30 days", "response is not in the passage"),
    ("exqa", f"What?{PIPE}arty may", "response cuts a word of the passage"),
    ("exqa", f"The agreement.{PIPE}notice", "asks nothing"),
    ("exqa", f"How is written notice given?{PIPE}written notice", "question holds its answer"),
    ("exqa", f"{CONTEXT} Is it a question?{PIPE}written notice", None),
    ("exqa", f"Who?{PIPE}this", "response says nothing"),
    ("exqa", f"Who?{PIPE}this agreement by", "response breaks off"),
    ("mcqa", f"How? (a) notice (b) email{PIPE}(a) notice", None),
    ("mcqa", f"How? (a) notice (b) email{PIPE}b", None),
    ("mcqa", f"How?\n- notice\n- email{PIPE}Email.", None),
    ("mcqa", f"How? Options: notice, email or court{PIPE}court", None),
    ("mcqa", f"Was it by notice, or rather by email?{PIPE}by email", None),
    ("mcqa", f"How? A. notice B. email{PIPE}C", "response is not one of the options"),
    ("mcqa", f"How? A. notice B. email{PIPE}A. email", "response is not one of the options"),
    ("mcqa", f"How?\n- notice\n- email{PIPE}fax", "response is not one of the options"),
    ("mcqa", f"How? (a) notice (b) notice{PIPE}a", "options are not distinct"),
    ("mcqa", f"How? (a) written notice (b) the notice{PIPE}a", "options are not distinct"),
    ("mcqa", f"How? (a) written notice (b) oral notice{PIPE}a", None),
    ("qa", f"How?{PIPE}Why is that?", "response is a question"),
    ("qa", f"How long?{PIPE}30 days", None),
    ("qa", f"How long?{PIPE}90 days", "number not in the passage"),
    ("qg", f"Ask about it.{PIPE}How is notice given?", None),
    ("qg", f"Ask about it.{PIPE}Notice is given.", "response is not a question"),
    ("qg", f"Ask about it.{PIPE}Where is Paris?", "question is not about the passage"),
    (
        "qg",
        f"Ask what the answer is: email{PIPE}How is notice given?",
        "answer asked for is not in the passage",
    ),
    (
        "qg",
        f"The answer is: thirty days. Ask for it.{PIPE}Is notice given thirty days before?",
        "question tells its answer",
    ),
    ("coref", f"Who gives notice?{PIPE}Either party", None),
    ("coref", f"Does 'it' mean the agreement?{PIPE}Yes", None),
    (
        "coref",
        f"Who gives notice?{PIPE}the landlord",
        "response is in neither passage nor question",
    ),
    # labels
    ("ynqa", f"Is it in writing?{PIPE}Yes.", None),
    ("ynqa", f"Is it in writing?{PIPE}no", None),
    ("ynqa", f"Is it in writing?{PIPE}yes, it must", "response is not yes or no"),
    ("ynqa", f"Is it in writing?{PIPE}written", "response is not yes or no"),
    ("nli", f"Claim: by phone.{PIPE}Contradiction", None),
    ("nli", f"Claim: by phone.{PIPE}by phone, or so", "response is not a label"),
    (
        "nli",
        f"Claim: by phone. Always, sometimes or never?{PIPE}yes",
        "response is not one of the options",
    ),
    ("te", f"Does it follow?{PIPE}not_entailment", None),
    ("te", f"Does it follow?{PIPE}notice", "response is not a label"),
    ("sentiment", f"Positive or negative?{PIPE}negative", None),
    ("sentiment", f"Positive or negative?{PIPE}neutral", "response is not one of the options"),
    ("sentiment", f"They loved it, or they didn't like it?{PIPE}They loved it", None),
    ("sentiment", f"What tone?{PIPE}purple", "response is not a label"),
    ("paraphrase_id", f"Same?{PIPE}not duplicates", None),
    ("paraphrase_id", f"Same?{PIPE}by notice", "response is not a label"),
    ("topic_class", f"Which topic?{PIPE}contract law", None),
    (
        "topic_class",
        f"Which topic?{PIPE}it is about how a party may end it",
        "response is not a label",
    ),
    ("wsd", f"Does 'notice' mean an announcement or a look?{PIPE}an announcement", None),
    ("wsd", f"Does 'notice' mean an announcement?{PIPE}a look", "response is not a label"),
    ("wsd", f"Has 'bank' the same sense?{PIPE}yes", "word is not in the passage"),
    (
        "nli",
        f"Statement: Either party may end this agreement.{PIPE}contradiction",
        "statement stands in the passage",
    ),
    ("nli", f"Statement: Either party may end this agreement.{PIPE}entailment", None),
    ("nli", f"Statement: Either party may end this contract.{PIPE}contradiction", None),
    (
        "te",
        f'"either party may end this agreement"\nDoes it follow?{PIPE}No',
        "statement stands in the passage",
    ),
    # text
    ("summarization", f"Summarize.{PIPE}Thirty days' notice ends it.", None),
    (
        "summarization",
        f"Summarize.{PIPE}{PASSAGE} So it is.",
        "summary is not shorter than the passage",
    ),
    ("summarization", f"Summarize.{PIPE}Notice of 90 days ends it.", "number not in the passage"),
    ("summarization", f"Summarize.{PIPE}Notice to Berlin ends it.", "name not in the passage"),
    ("summarization", f"Summarize.{PIPE}Cats sleep.", "response is not about the passage"),
    ("paraphrase", f"Say it anew.{PIPE}Each side can leave with thirty days' notice.", None),
    (
        "paraphrase",
        f"Say it anew.{PIPE}This agreement either party may end by giving thirty days' "
        "written notice.",
        "paraphrase says the same words",
    ),
    ("sent_comp", f"Complete: a party ends it by{PIPE}giving notice", None),
    ("sent_comp", f"Which? (a) giving notice (b) a call{PIPE}giving notice", None),
    (
        "sent_comp",
        f"Which? (a) giving notice (b) a call{PIPE}an email",
        "response is not one of the options",
    ),
    ("sent_comp", f"Complete: a party ends it by{PIPE}a party", "sentence holds its ending"),
    ("text_gen", f"Write a clause.{PIPE}Cats sleep.", "response is not about the passage"),
]


@pytest.mark.parametrize(("task", "completion", "reason"), EXAMPLES)
def test_reason(task: str, completion: str, reason: str | None) -> None:
    assert verdict(task, completion) == reason


def test_answers_that_are_long() -> None:
    end = LONG.index(" The European")
    assert verdict("exqa", f"What?{PIPE}{LONG[:end]}", LONG) == "response is most of the passage"
    assert verdict("exqa", f"What?{PIPE}{LONG[:22]}", LONG[:38]) is None
    long = "Nora Quill pays 1,250 euros"
    assert verdict("exqa", f"What?{PIPE}{long}", LONG, answer_words=5) is None
    assert verdict("exqa", f"What?{PIPE}{long}", LONG, answer_words=4) == "answer too long"


def test_questions_far_from_the_passage() -> None:
    near = f"Read it. Question: How may a party end the contract?{PIPE}notice"
    far = f"Read this written agreement: What did the pope say?{PIPE}notice"
    asked = f"Question: What did the pope say? Yes or no?{PIPE}no"
    assert verdict("ynqa", asked, question_overlap=0.5) == "question is not about the passage"
    asked = f"Question: May a party end it by written notice? Yes or no?{PIPE}yes"
    assert verdict("ynqa", asked, question_overlap=0.5) is None
    for task in ("exqa", "qa"):
        assert verdict(task, near, question_overlap=0.5) is None
        assert verdict(task, far, question_overlap=0.5) == "question is not about the passage"
        assert verdict(task, far) is None
        assert verdict(task, f"How?{PIPE}notice", question_overlap=1.0) is None


def test_every_reason_has_an_example() -> None:
    shown = {reason for _, _, reason in EXAMPLES if reason}
    elsewhere = {check.reason for check in STANDING}  # tests/checks/test_standing.py
    long = {"response is most of the passage", "answer too long"}
    assert set(REASONS) - shown == (long | elsewhere) - shown


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Ms Quill pays 1250 to the landlord.", None),  # without the comma, half of the name
        ("The EU does not sign, and Quill's rent is due.", None),  # initials, possessive
        ("The deposit of 3 months is given back.", None),  # spelled in the passage
        ("The deposit of 4 months is given back.", "number not in the passage"),
        ("Nora Quill pays to Mr Hale.", "name not in the passage"),
    ],
)
def test_what_a_summary_may_name(said: str, reason: str | None) -> None:
    assert verdict("summarization", f"Summarize for Ms Hill.{PIPE}{said}", LONG) == reason


def test_the_examples_of_the_task_types_pass() -> None:
    passage = "Either party may end this agreement by giving thirty days' written notice."
    for task in TASK_TYPES:
        completion = f"{task.instruction}\n{PIPE}\n{task.response}"
        pair = Pair(task.instruction, task.response)
        assert list(findings(task, pair, passage, completion)) == [], task.short


def test_labels_that_guidance_draws_pass() -> None:
    for name in ("ynqa", "nli"):
        for label in shape_of(task_type(name), PASSAGE).choices:
            assert verdict(name, f"Is that so?{PIPE}{label}") is None


def test_topics_of_the_users_own() -> None:
    task, labels = task_type("topic_class"), ("Law", "Tax")
    for said, reason in (("law.", None), ("contract", "response is not a label")):
        text = f"Which topic?{PIPE}{said}"
        pair = Pair("Which topic?", said)
        assert check(task, pair, PASSAGE, text, Thresholds(), labels) == reason


def test_a_marker_in_the_passage_is_no_leak() -> None:
    passage = "The tag <|task|> ends a prompt; {{context}} stands for a text."
    assert verdict("qa", f"{CONTEXT}\nWhat ends it?{PIPE}A tag.", passage) is None


def test_a_copy_of_the_passage_as_the_model_saw_it_is_verbatim() -> None:
    passage = "The tag <|task|> ends a prompt."
    assert verdict("exqa", f"What ends it?{PIPE}the tag < |task| >", passage) is None


def test_what_is_in_the_passage_is_no_repetition_of_the_row() -> None:
    chant = "We want it now, we want it now, we want it now, we want it now, they sang."
    assert verdict("exqa", f"What did they sing?{PIPE}{chant[:-11]}", chant) is None
    assert verdict("exqa", f"What did they sing?{PIPE}{chant[:-11]}") == "repeats itself"


def test_skipped_reasons_reject_nothing() -> None:
    text = f"Is it in writing?{PIPE}written"
    assert verdict("ynqa", text, skip=("response is not yes or no",)) is None
    assert verdict("qa", f"Est-ce?{PIPE}{'mot ' * 2}", language="") is None


def test_thresholds_say_what_differs() -> None:
    assert Thresholds().changed() == ""
    changed = Thresholds(answer_words=5, skip=("asks nothing",)).changed()
    assert json.loads(changed) == {"answer_words": 5, "skip": ["asks nothing"]}


@pytest.mark.parametrize(
    ("wrong", "title", "remedy"),
    [
        ({"answer_words": 0}, "checks.answer_words is 0.", "Use 1 or more."),
        ({"repetition": 1.5}, "checks.repetition is 1.5.", "Use 0 to 1."),
        ({"language": "fr"}, "checks.language is 'fr'.", 'Use "en", or "" for any language.'),
        (
            {"skip": ("repeat itself",)},
            "No row is rejected for 'repeat itself' (checks.skip).",
            "Did you mean 'repeats itself'?",
        ),
    ],
)
def test_wrong_thresholds(wrong: dict[str, object], title: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_thresholds(Thresholds(**wrong), REASONS)  # type: ignore[arg-type]
    assert (caught.value.title, caught.value.remedy) == (title, remedy)


def test_checks_name_task_types_that_there_are() -> None:
    assert {name for each in CHECKS for name in each.tasks} <= {task.short for task in TASK_TYPES}


TEXT = st.text(
    st.sampled_from(" ab\n.?-A1(){}|<>\u0130\u00df\ufb03\u0431") | st.characters(), max_size=60
)


@given(st.sampled_from(TASK_TYPES), TEXT, TEXT, TEXT)
def test_any_text_has_a_verdict(task: object, asked: str, said: str, passage: str) -> None:
    completion = f"{asked}{PIPE}{said}"
    pair = parse_completion(completion, passage)
    if pair is not None:
        found = list(findings(task, pair, passage, completion))  # type: ignore[arg-type]
        assert set(found) <= set(REASONS)
        assert check(task, pair, passage, completion) == (found[0] if found else None)  # type: ignore[arg-type]


@given(st.data())
def test_any_words_of_a_passage_answer_a_question(data: st.DataObject) -> None:
    words = LONG.split()
    start = data.draw(st.integers(0, len(words) - 1))
    span = " ".join(words[start : start + data.draw(st.integers(1, 12))])
    found = verdict("exqa", f"{CONTEXT}\nWhich words are meant?\n{PIPE}\n{span}", LONG)
    assert found in (None, "response says nothing", "response breaks off")


@given(st.lists(st.sampled_from("red green blue white black".split()), min_size=2, unique=True))
def test_any_option_is_one(colours: list[str]) -> None:
    asked = "Which colour?\n" + "\n".join(f"{'abcde'[i]}) {c}" for i, c in enumerate(colours))
    for i, colour in enumerate(colours):
        for said in (colour, "abcde"[i], f"({'ABCDE'[i]}) {colour}", f"{'abcde'[i]}) {colour}."):
            assert verdict("mcqa", f"{asked}{PIPE}{said}") is None, said
    assert verdict("mcqa", f"{asked}{PIPE}purple") == "response is not one of the options"


def test_normalize_folds_ligatures_case_and_space() -> None:
    assert normalize(" The o\ufb03ce\u00a0\n IS  open ") == "the office is open"


def test_digest_is_equal_for_the_same_row_only() -> None:
    one = pair_digest(Pair("What is it?", "A  clause"))
    assert one == pair_digest(Pair("what is\nit?", "a clause"))
    assert one != pair_digest(Pair("What is it? A", "clause"))
    assert len(one) == 16


def test_a_long_sentence_is_looked_at_once() -> None:
    """Quadratic or worse, this would take minutes."""
    long = "; ".join(["the tenant, who pays"] * 20_000)
    asked = f"Which of them pays, {long}?{PIPE}The tenant"
    assert verdict("qa", asked, question_overlap=0.5, instruction_words=10**6) is not None
