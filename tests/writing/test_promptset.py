"""Prompts of the user's own, in place of the package's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bonito_local.errors import UsageError
from bonito_local.jobs.prompts import writer_of
from bonito_local.tasks import TASK_TYPES, task_type
from bonito_local.writing.promptset import CONVERSATION, NAMES, package_prompts, read_prompts
from bonito_local.writing.writer import Assignment

OWN = """
ask = "Ask like a lawyer."
lines = ["question", "answer"]
instructions = ["{{context}}\\n\\nCounsel asks: {question}"]
response = "{answer}"
"""
WRONG = OWN.replace('"answer"]', '"answer", "wrong"]').replace("{answer}", "right")
NOTHING_LEFT = (
    OWN.replace('"Ask like a lawyer."', '{ a = "Ask." }').replace("question", "statement")
    + 'changed = ["a"]'
)
CHAT = """
system = "Be brief."
texts = []
checks = {}
"""


def test_the_package_has_a_prompt_for_each_task_type() -> None:
    prompts = package_prompts()
    assert set(NAMES) == {*(task.short for task in TASK_TYPES), CONVERSATION}
    assert all(prompts.form(task.short) for task in TASK_TYPES)
    assert len(prompts.conversation.turns) > 4
    assert read_prompts(None) is prompts


def test_a_prompt_of_the_users_takes_the_packages_place(tmp_path: Path) -> None:
    (tmp_path / "exqa.toml").write_text(OWN)
    (tmp_path / "notes.md").write_text("not a prompt")
    prompts = read_prompts(tmp_path)
    assert prompts.sha256 != package_prompts().sha256
    assert prompts.form("qa") == package_prompts().form("qa")
    chat = writer_of("instruct", {}, prompts=prompts)
    asked = chat.ask(Assignment(task_type("exqa"), "Rent is due on the first day of the month."))
    assert asked.prompt.count("Ask like a lawyer.") == 3  # in the examples of the conversation too
    assert read_prompts(tmp_path).sha256 == prompts.sha256


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("exqa", OWN.replace("lines", "keys"), "exqa.toml: lines is not there"),
        ("exqa", OWN + 'colour = "red"', "exqa.toml: colour is no key"),
        ("exqa", OWN.replace('["question", "answer"]', "[1]"), "exqa.toml: lines is no list"),
        ("exqa", OWN + 'spans = { answer = "page" }', "exqa.toml: spans or changed name"),
        ("exqa", OWN + 'changed = ["no"]', "exqa.toml: spans or changed name"),
        ("exqa", OWN.replace('"Ask like a lawyer."', "3"), "exqa.toml: ask is 3"),
        ("exqa", OWN.replace('["question"', '["(["'), "exqa.toml: lines are not names"),
        ("exqa", OWN.replace('["question"', '["answer"'), "exqa.toml: lines are not names"),
        ("exqa", OWN + "spans = { answer = [] }", "exqa.toml: spans or changed name"),
        ("exqa", OWN + "choices = { answer = 5 }", "exqa.toml: answer is 5"),
        ("exqa", OWN + 'choices = { word = ["a"] }', "exqa.toml: spans or choices name 'word'"),
        ("exqa", OWN + 'check = "nothing"', "exqa.toml: check is 'nothing'"),
        ("exqa", OWN + 'check = "statement"', "exqa.toml: check = 'statement' does not go"),
        ("mcqa", WRONG, "mcqa.toml: response does not hold the right answer"),
        ("nli", NOTHING_LEFT, "nli.toml: spans or changed name"),
        ("te", NOTHING_LEFT.replace('changed = ["a"]', 'check = "statement"'), "labels of ask"),
        ("exqa", " " * 1_000_001, "exqa.toml is too large"),
        (CONVERSATION, CHAT.replace('"Be brief."', "5"), "conversation.toml lacks something"),
        (CONVERSATION, CHAT + "names = 5", "conversation.toml lacks something"),
        (CONVERSATION, CHAT.replace("texts = []", 'texts = ["a"]'), "conversation.toml lacks"),
        (CONVERSATION, CHAT, "exqa.toml: check is 'question'"),
        ("exqa", "ask = ", "exqa.toml is not TOML"),
        ("mine", OWN, "mine.toml is the prompt of no task type"),
        (CONVERSATION, 'system = "Be brief."', "conversation.toml lacks something"),
        ("", "", "holds no prompts"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    if name:
        (tmp_path / f"{name}.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_prompts(tmp_path)
    assert said in caught.value.title


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_prompts(tmp_path / "none")
