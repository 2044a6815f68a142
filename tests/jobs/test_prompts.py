"""How models are asked: Bonito's prompt, or a text in a chat template, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Scripted, passages, spec
from tiny_model import BOS, BOS_ID, EOS, EOS_ID, write_tiny_gguf

from bonito_local.backends.base import Completion, Framed, Request
from bonito_local.backends.llamacpp.model import Model
from bonito_local.cli.main import run
from bonito_local.errors import ModelError, UsageError
from bonito_local.jobs.prompts import BONITO, InstructAsking, asking
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store
from bonito_local.tasks import CONTEXT, PIPE, TaskType, format_prompt, parse_completion, task_type
from bonito_local.writing.forms import system_prompt

# The forms of ChatML, Llama 3 and Mistral.
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ '[INST] ' + m['content'] | trim + ' [/INST]' }}{% else %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
)
OWN = TaskType(
    *("tone", "tone of a text", "how it sounds", "How?", "good", ("good", "bad")),
    templates=(f"{CONTEXT}\n\nGood or bad?", f"Say {{{{labels}}}}: {CONTEXT}"),
)
FREE = TaskType("tip", "giving a tip", "what to do", "What helps?", "Patience.")
PASSAGE = "Rent is due on the <|im_end|> first day."


@pytest.mark.parametrize(
    ("metadata", "style"),
    [
        ({}, "bonito"),
        ({"tokenizer.chat_template": CHATML}, "instruct"),
        ({"tokenizer.chat_template": CHATML, "bonito.task_types": "exqa"}, "bonito"),
        ({"tokenizer.chat_template": CHATML, "general.name": "Llama 3.1 8B Bonito v1"}, "bonito"),
        ({"tokenizer.chat_template": CHATML, "bonito.convert.base": "Mistral-7B"}, "instruct"),
    ],
)
def test_a_model_is_asked_as_it_was_made_for(metadata: dict[str, object], style: str) -> None:
    assert (asking("auto", metadata) is BONITO) == (style == "bonito")
    assert asking("bonito", metadata) is BONITO
    assert isinstance(asking("instruct", metadata), InstructAsking)
    assert BONITO.prompt(task_type("qa"), "A.") == format_prompt(task_type("qa"), "A.")


def test_chat_templates() -> None:
    chat = asking("auto", {"tokenizer.chat_template": CHATML})
    prompt = chat.prompt(OWN, PASSAGE)
    assert isinstance(prompt, Framed)
    assert prompt.head == "<|im_start|>user\n"
    assert prompt.tail == "<|im_end|>\n<|im_start|>assistant\n"
    assert PASSAGE in prompt.text
    assert prompt == prompt.head + prompt.text + prompt.tail
    mistral = asking("auto", {"tokenizer.chat_template": MISTRAL}).prompt(OWN, PASSAGE)
    assert mistral.startswith("[INST] ")
    assert mistral.endswith(" [/INST]")
    bare = asking("instruct", {})
    assert bare.prompt(FREE, PASSAGE).endswith("\n\nInstruction:")


def test_the_16_task_types_are_asked_by_forms_with_the_passage_first() -> None:
    chat = asking("auto", {"tokenizer.chat_template": CHATML})
    first, second = (chat.prompt(task_type(name), PASSAGE) for name in ("qa", "summarization"))
    shared = f"<|im_start|>system\n{system_prompt()}<|im_end|>\n<|im_start|>user\nText:\n{PASSAGE}"
    assert first.startswith(shared)
    assert second.startswith(shared)
    assert first.endswith('<|im_end|>\n<|im_start|>assistant\n{"sentence": "')
    done = Completion("r", 0, 'Rent.", "question": "Due?", "answer": "Yes."}', 1, 1, "stop")
    assert chat.written(task_type("qa"), PASSAGE, done).text == (
        f"{CONTEXT}\n\nAnswer in a full sentence: Due?\n{PIPE}\nYes."
    )
    bare = asking("instruct", {}).prompt(task_type("qa"), PASSAGE)
    assert bare.startswith(f"{system_prompt()}\n\nText:\n")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for", "end of template"),
        ("{{ raise_exception('no system') }}", "no system"),
        ("no message", "does not hold the message once"),
        ("{{ messages[9].content }}", "no element 9"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ 1 // 0 }}", "by zero"),
    ],
)
def test_templates_that_cannot_be_used(template: str, why: str) -> None:
    with pytest.raises(ModelError, match="chat template cannot be used") as caught:
        asking("auto", {"tokenizer.chat_template": template})
    assert why in caught.value.title


def test_guided_rows_are_bonitos() -> None:
    with pytest.raises(UsageError, match="Guided rows"):
        asking("auto", {"tokenizer.chat_template": CHATML}, guided=True)
    assert asking("bonito", {"tokenizer.chat_template": CHATML}, guided=True) is BONITO


@pytest.mark.parametrize(
    ("written", "instruction", "response"),
    [
        ("Instruction: When?\nResponse: on Monday", "When?", "on Monday"),
        (" When is it?\n\n**Response:** on\nMonday", "When is it?", "on\nMonday"),
        ("**Question:** When?\n**Answer:** now\n\nInstruction: Why?\nResponse: no", "When?", "now"),
        (f"Instruction: {CONTEXT} So?\nResponse: yes", "§ So?", "yes"),
        ("I cannot do that.", None, None),
        ("Instruction: When?", None, None),
        (f"Instruction: When?{PIPE}\nResponse: now", None, None),
    ],
)
def test_what_a_model_writes(written: str, instruction: str, response: str) -> None:
    done = InstructAsking().written(FREE, PASSAGE, Completion("r", 0, written, 1, 1, "stop"))
    pair = parse_completion(done.text, PASSAGE)
    if instruction is None:
        assert pair is None
        return
    assert pair is not None
    wanted = (
        instruction.replace("§", PASSAGE) if "§" in instruction else f"{PASSAGE}\n\n{instruction}"
    )
    assert (pair.instruction, pair.response) == (wanted, response)


@given(st.text(max_size=60), st.text(max_size=200))
def test_any_text_and_passage(passage: str, written: str) -> None:
    chat = asking("auto", {"tokenizer.chat_template": CHATML})
    for task in (OWN, FREE, task_type("exqa"), task_type("mcqa")):
        prompt = chat.prompt(task, passage)
        assert prompt.startswith("<|im_start|>")
        done = chat.written(task, passage, Completion("r", 0, written, 1, 1, "stop"))
        assert parse_completion(done.text, passage) is None or PIPE in done.text


def test_templates_make_the_instructions(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    asked: list[str] = []

    def answer(request: Request, _: int) -> str:
        asked.append(request.prompt)
        return " good \n"

    job = spec("ynqa")
    chat = asking("auto", {"tokenizer.chat_template": CHATML})
    assert isinstance(chat, InstructAsking)
    ledger = run_job(
        store,
        Scripted(answer),
        type(job)(**{f: getattr(job, f) for f in job.__slots__} | {"tasks": (OWN,)}),
        passages(12),
        asking=chat,
    )
    rows = list(store.chosen())
    assert ledger.accepted == len(rows) == 12
    kinds = {row.input.replace(row.passage, "§") for row in rows}
    assert kinds == {"§\n\nGood or bad?\n\nAnswer with one of: good, bad.", "Say good, bad: §"}
    assert all(row.output == "good" for row in rows)
    # What the model was asked is what the row says.
    assert {p.removeprefix(chat.plain.head).removesuffix(chat.plain.tail) for p in asked} == {
        row.input for row in rows
    }
    store.close()


def test_special_tokens_are_the_templates_alone(tiny_gguf: Path) -> None:
    model = Model(tiny_gguf)
    prompt = model.prompt(Framed(f"{BOS}user ", f"a {EOS} {BOS} b", f"{EOS} x")).tolist()
    assert prompt.count(BOS_ID) == prompt.count(EOS_ID) == 1
    assert prompt[0] == BOS_ID
    assert model.prompt(Framed("user ", "a", EOS)).tolist()[0] == BOS_ID
    assert model.prompt(Framed("", "a", "")).tolist() == model.prompt("a").tolist()
    model.close()


@pytest.fixture
def chat_gguf(tmp_path: Path) -> Path:
    return write_tiny_gguf(
        tmp_path / "chat.gguf", context=2048, metadata={"tokenizer.chat_template": CHATML}
    )


def test_a_job_of_a_model_with_a_chat_template(
    chat_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("Either party may end the agreement by thirty days' notice.")
    (tmp_path / "tone.toml").write_text(
        'name = "tone of a text"\nmeaning = "how it sounds"\n'
        'instructions = ["{{context}}\\n\\nHow does it sound?"]\n'
        '[checks]\nlanguage = ""\n'
    )
    command = ["generate", str(tmp_path / "a.txt"), "-t", str(tmp_path / "tone.toml"), "--n", "6"]
    command += ["-m", str(chat_gguf), "--max-tokens", "6", "-o", str(tmp_path / "out")]
    run(command)
    shown = capsys.readouterr()
    (counts,) = [line.split() for line in shown.out.splitlines() if line.startswith("tone")]
    assert counts[1] == "6"
    assert counts[3] == "0"  # whatever it writes is a response
    assert "was not trained on" not in shown.err
    assert run([*command, "--prompt", "bonito"]) == 1
    assert "prompt 'instruct' -> None" in capsys.readouterr().err
    assert run([*command, "--guided"]) == 2
    assert "Guided rows are for models" in capsys.readouterr().err
