"""Templates in this package's words, and prompts made of them."""

from __future__ import annotations

import pytest

from bonito_local.evaluation.items import Item
from bonito_local.evaluation.sets import SETS, EvaluationSet
from bonito_local.evaluation.templates import templates_of
from bonito_local.tasks import FORMS, TASK_TYPES


@pytest.mark.parametrize("found", SETS, ids=[one.name for one in SETS])
def test_each_set_has_five(found: EvaluationSet) -> None:
    templates = templates_of(found)
    assert len(templates) == len({one.name for one in templates}) == 5
    assert found.task in {task.short for task in TASK_TYPES}
    item = Item("1", " The passage. ", " The question? ")
    assert len({one.fill(item, item.passage, found.kind) for one in templates}) == 5
    for one in templates:
        filled = one.fill(item, item.passage, found.kind)
        assert filled.count("The passage.") == filled.count("The question?") == 1
        assert "{{" not in filled
        assert filled == filled.strip()
        assert len(one.choices) == len(found.labels) == len(set(one.choices))
        # A choice is said in the prompt, or is one of yes and no: else it would be a guess.
        assert all(choice.lower() in filled.lower() for choice in one.choices)


def test_what_stands_in_a_passage_is_no_place() -> None:
    template = templates_of(SETS[0])[0]
    item = Item("1", "Of {{question}} and {{kind}}", "and of {{passage}}?")
    filled = template.fill(item, item.passage, "abstract")
    assert "Of {{question}} and {{kind}}" in filled
    assert "and of {{passage}}?" in filled


def test_forms_are_the_papers() -> None:
    asked = {name: form.wrap("  Is it?\n") for name, form in FORMS.items()}
    assert asked == {
        "base": "Instruct: Is it?\nAnswer:",
        "adapted": "<|input|>\nIs it?\n<|output|>\n",
        "mistral": "[INST] Is it? [/INST]",
    }
    assert [name for name, form in FORMS.items() if not form.ends] == ["mistral"]
