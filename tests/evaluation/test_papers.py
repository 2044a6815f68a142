"""The paper's templates, out of made checkouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from promptsource_checkout import Prompts, write_prompts

from bonito_local.cli.main import run
from bonito_local.errors import EvaluationError, TemplatesError, UsageError
from bonito_local.evaluation.items import Item
from bonito_local.evaluation.papers import PAPER, PROMPTSOURCE, Checkouts, paper_templates, whose
from bonito_local.evaluation.results import OWN
from bonito_local.evaluation.sets import SETS, EvaluationSet, named_sets
from bonito_local.evaluation.templates import Template

ANSWER = " ||| {{ answers['text'] | most_frequent | choice }}"
SPANS: Prompts = {
    "after": "Read on Amazon: {{context}}\n{{question}}" + ANSWER,
    "exam": "{{question}} See {{ context }}." + ANSWER,
    "wondered": "I wonder: {{question}}\n\n{{context}}" + ANSWER,
    "pick_one_answer": "{{context}} Pick: {{question}}" + ANSWER,
    "question_num_hint_answer": "{{range(1, 1000) | choice}}: {{question}} {{context}}" + ANSWER,
    "other": "{{context}} ||| {{question}}",
}
CODE: dict[str, tuple[str, str, str]] = {
    "pubmed_qa.py": (
        'Of {{ context.contexts | join(" ") }}: {{question}}',
        "{{final_decision}}",
        "yes ||| no ||| maybe",
    ),
    "privacy_policy_qa.py": (
        "{{text}} {{question}}",
        '{% if answer == "Relevant" %} Yes {% else %} No {% endif %}',
        "Yes|||No",
    ),
    "contract_nli.py": (
        '{{premise}} So "{{hypothesis}}"?',
        "{{ answer_choices[label] }}",
        "No ||| Yes ||| Maybe",
    ),
    "vitaminc.py": (
        '{{evidence}} So "{{claim}}"?',
        '{% if label == "REFUTES" %} No {% elif label == "SUPPORTS" %} Yes {% else %} Maybe'
        "{% endif %}",
        "No ||| Yes ||| Maybe",
    ),
}


def write_code(folder: Path) -> None:
    """Write templates as the paper's code does: a literal in a file of Python's name."""
    home = folder / "templates" / "templates"
    home.mkdir(parents=True)
    for file, (text, answer, choices) in CODE.items():
        templates = {
            f"prompt_{n}": {"jinja": f"{n}. {text}|||{answer}", "answer_choices": choices}
            for n in range(1, 6)
        }
        (home / file).write_text(repr({"dataset_name": "d", "templates": templates}))


@pytest.fixture
def checkouts(tmp_path: Path) -> Checkouts:
    for subset in ("amazon", "nyt"):
        write_prompts(tmp_path / "promptsource", "squadshifts", SPANS, subset)
    write_code(tmp_path / "paper")
    return Checkouts(tmp_path / "promptsource", tmp_path / "paper")


def item(found: EvaluationSet, number: int = 1, question: str = "Is it {{context}}?") -> Item:
    label = found.labels[0] if found.labels else ""
    return Item(str(number), " The passage. ", question, label, () if label else ("it", "that"))


def the(name: str) -> EvaluationSet:
    (found,) = named_sets(name)
    return found


def asked(name: str, checkouts: Checkouts) -> list[Template]:
    return paper_templates(the(name), [item(the(name))], checkouts)


def fill(template: Template, name: str, passage: str) -> str:
    return template.fill(item(the(name)), passage, "")


def test_spans_are_asked_for_in_the_five_of_promptsource(checkouts: Checkouts) -> None:
    found = asked("squadshifts-amazon", checkouts)
    assert [one.name for one in found] == list(SPANS)[:5]
    assert all(one.choices == () for one in found)
    # The passage is put in as it is; what a question says is no place for it.
    question = "Is it { {context} }?"
    passage = " Short {{context}} \n"
    texts = [fill(one, "squadshifts-amazon", passage) for one in found]
    assert texts[:4] == [
        f"Read on Amazon: Short {{{{context}}}}\n{question}",
        f"{question} See Short {{{{context}}}}.",
        f"I wonder: {question}\n\nShort {{{{context}}}}",
        f"Short {{{{context}}}} Pick: {question}",
    ]
    again = asked("squadshifts-amazon", checkouts)
    assert [fill(one, "squadshifts-amazon", passage) for one in again] == texts
    reddit = asked("squadshifts-reddit", checkouts)
    assert fill(reddit[0], "squadshifts-reddit", "P").startswith("Read on Reddit: P\n")


def test_what_a_template_draws_differs_by_item(checkouts: Checkouts) -> None:
    found = the("squadshifts-nyt")
    items = [item(found, number) for number in range(20)]
    numbered = paper_templates(found, items, checkouts)[4]
    assert len({numbered.fill(one, "P", "") for one in items}) > 10


@pytest.mark.parametrize(
    ("name", "text", "choices"),
    [
        ("pubmedqa", "3. Of P: Is it { {context} }?", ("yes", "no", "maybe")),
        ("privacyqa", "3. P Is it { {context} }?", ("Yes", "No")),
        ("contractnli", '3. P So "Is it { {context} }?"?', ("Yes", "No", "Maybe")),
        ("vitaminc", '3. P So "Is it { {context} }?"?', ("Yes", "No", "Maybe")),
    ],
)
def test_choices_are_in_the_order_of_the_labels(
    checkouts: Checkouts, name: str, text: str, choices: tuple[str, ...]
) -> None:
    found = asked(name, checkouts)
    assert [one.name for one in found] == [f"prompt_{n}" for n in range(1, 6)]
    assert {one.choices for one in found} == {choices}
    assert fill(found[2], name, "P") == text


def test_each_checkout_is_for_its_sets(checkouts: Checkouts) -> None:
    spans = {one.name for one in SETS if one.name.startswith("squadshifts")}
    half = Checkouts(promptsource=checkouts.promptsource)
    assert {one.name for one in SETS if whose(one, half)} == spans
    by = {one.name: whose(one, checkouts) for one in SETS}
    assert by.pop("policyqa") == ""
    assert {name for name, words in by.items() if words == PROMPTSOURCE} == spans
    assert {words for name, words in by.items() if name not in spans} == {PAPER}
    hashes = {one.sha256() for one in (Checkouts(), half, checkouts)}
    assert len(hashes) == 3
    assert "" in hashes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('pathlib').Path('hacked').touch()", "holds no templates of the paper's"),
        ("{'templates': [", "holds no templates of the paper's"),
        ("{'templates': {'a': {'jinja': 'x'}}}", "holds no templates of the paper's"),
        ("{'templates': {'a': {'jinja': 'x', 'answer_choices': ''}}}", "not hold the passage"),
        (
            "{'templates': {'a': {'jinja': '{{evidence}}|||Yes', 'answer_choices': 'Yes'}}}",
            "has the choices",
        ),
        (
            "{'templates': {'a': {'jinja': '{{evidence}} {{x}}|||Y', 'answer_choices': 'Y'}}}",
            "template asks for what the example lacks",
        ),
        (
            "{'templates': {'a': {'jinja': '{{evidence}} {% x %}', 'answer_choices': 'Y'}}}",
            "a template cannot be used: ",
        ),
    ],
)
def test_files_that_are_no_templates_are_told(checkouts: Checkouts, text: str, said: str) -> None:
    assert checkouts.paper
    file = checkouts.paper / "templates" / "templates" / "vitaminc.py"
    file.write_text(text)
    with pytest.raises(EvaluationError, match=said):
        asked("vitaminc", checkouts)
    assert not Path("hacked").exists()


def test_what_is_not_there_is_told(checkouts: Checkouts, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        asked("vitaminc", Checkouts(paper=tmp_path))
    with pytest.raises(UsageError, match="no checkout of promptsource"):
        asked("squadshifts-nyt", Checkouts(promptsource=tmp_path / "paper"))
    write_prompts(tmp_path / "promptsource", "squadshifts", {"after": SPANS["after"]}, "nyt")
    with pytest.raises(EvaluationError, match="lacks the template 'exam'"):
        asked("squadshifts-nyt", checkouts)
    (tmp_path / "promptsource/promptsource/templates/squadshifts/nyt/templates.yaml").unlink()
    with pytest.raises(TemplatesError, match="no templates in"):
        asked("squadshifts-nyt", checkouts)


def test_the_command_asks_in_them(
    tiny_gguf: Path, checkouts: Checkouts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passages = [
        {"id": n, "passage": f"Trial {n} had {n * 7} patients.", "question": "How many?"}
        for n in range(4)
    ]
    data = tmp_path / "data"
    data.mkdir()
    rights: dict[str, dict[str, Any]] = {
        "contractnli": {"label": "neutral"},
        "squadshifts-nyt": {"answers": ["patients"]},
    }
    for name, right in rights.items():
        lines = (json.dumps(one | right) + "\n" for one in passages)
        (data / f"{name}.jsonl").write_text("".join(lines))
    out = tmp_path / "out"
    told = ["evaluate", str(tiny_gguf), "--data", str(data), "--prompt", "base", "-o", str(out)]
    promptsource = ["--promptsource", str(checkouts.promptsource)]
    assert run([*told, *promptsource]) == 0
    found = json.loads((out / "results.json").read_text())
    words = {one["name"]: (one["words"], list(one["templates"])) for one in found["sets"]}
    assert words["squadshifts-nyt"] == (PROMPTSOURCE, list(SPANS)[:5])
    assert words["contractnli"][0] == OWN
    assert found["about"]["templates_sha256"] == Checkouts(checkouts.promptsource).sha256()
    assert "Asked in the templates of promptsource." in capsys.readouterr().out
    # Numbers in other templates are other numbers.
    assert run([*told, *promptsource, "--paper-code", str(checkouts.paper)]) == 1
    assert "has results with another templates_sha256." in capsys.readouterr().err
