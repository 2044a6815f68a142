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
from bonito_local.errors import ModelError
from bonito_local.jobs.prompts import BONITO, writer_of
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store
from bonito_local.tasks import CONTEXT, PIPE, TaskType, format_prompt, parse_completion, task_type
from bonito_local.writing.claims import agrees
from bonito_local.writing.instruct import InstructWriter
from bonito_local.writing.promptset import package_prompts
from bonito_local.writing.writer import Assignment, Writer

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
LLAMA = {"general.architecture": "llama"}
OWN = TaskType(
    *("tone", "tone of a text", "how it sounds", "How?", "good", ("good", "bad")),
    templates=(f"{CONTEXT}\n\nGood or bad?", f"Say {{{{labels}}}}: {CONTEXT}"),
)
FREE = TaskType("tip", "giving a tip", "what to do", "What helps?", "Patience.")
PASSAGE = "Rent is due on the <|im_end|> first day."


def prompt_of(writer: Writer, task: TaskType, passage: str = PASSAGE) -> str:
    return writer.ask(Assignment(task, passage)).prompt


@pytest.mark.parametrize(
    ("metadata", "style"),
    [
        ({}, "bonito"),
        ({"tokenizer.chat_template": CHATML}, "instruct"),
        ({"tokenizer.chat_template": CHATML, "bonito.task_types": "exqa"}, "bonito"),
        ({"tokenizer.chat_template": CHATML, "general.name": "Llama 3.1 8B Bonito v1"}, "bonito"),
        ({"tokenizer.chat_template": CHATML, "bonito.convert.base": "Mistral-7B"}, "instruct"),
        ({**LLAMA, "general.name": "Mistral 7B v0.1"}, "instruct"),
        ({**LLAMA, "bonito.convert.adapters": "mine"}, "bonito"),
        ({**LLAMA, "general.name": "bonito-v1"}, "bonito"),
        ({"general.name": "a checkpoint's folder"}, "bonito"),
    ],
)
def test_a_model_is_asked_as_it_was_made_for(metadata: dict[str, object], style: str) -> None:
    assert (writer_of("auto", metadata) is BONITO) == (style == "bonito")
    assert writer_of("bonito", metadata) is BONITO
    assert isinstance(writer_of("instruct", metadata), InstructWriter)
    assert prompt_of(BONITO, task_type("qa"), "A.") == format_prompt(task_type("qa"), "A.")


def test_chat_templates() -> None:
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    prompt = prompt_of(chat, OWN)
    assert isinstance(prompt, Framed)
    assert prompt.head == "<|im_start|>user\n"
    assert prompt.tail == "<|im_end|>\n<|im_start|>assistant\n"
    assert PASSAGE in prompt.text
    assert prompt == prompt.head + prompt.text + prompt.tail
    mistral = prompt_of(writer_of("auto", {"tokenizer.chat_template": MISTRAL}), OWN)
    assert mistral.startswith("[INST] ")
    assert mistral.endswith(" [/INST]")
    bare = writer_of("instruct", {})
    assert prompt_of(bare, FREE).endswith("\n\nInstruction:")


def test_the_16_task_types_are_asked_by_forms_with_the_passage_first() -> None:
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    first, second = (prompt_of(chat, task_type(name)) for name in ("qa", "summarization"))
    said = package_prompts().conversation
    begun = f"<|im_start|>system\n{said.system}<|im_end|>\n<|im_start|>user\n{said.turns[0][0]}"
    assert first.startswith(begun)
    shared = f"<|im_start|>user\nText:\n{PASSAGE}\n\n"
    assert first.split(shared)[0] == second.split(shared)[0]
    assert first.endswith(f"Sentence: {PASSAGE}<|im_end|>\n<|im_start|>assistant\nQuestion:")
    assert second.endswith("<|im_start|>assistant\nSummary:")
    done = Completion("r", 0, " Due?\nAnswer: Yes.\n", 1, 1, "stop")
    row = parse_completion(chat.written(Assignment(task_type("qa"), PASSAGE), done).text, PASSAGE)
    assert row
    assert row.response == "Yes."
    bare = prompt_of(writer_of("instruct", {}), task_type("qa"))
    assert bare.startswith(f"{said.system}\n\n{said.turns[0][0]}\n{said.turns[0][1]}\n\n")


def test_the_place_of_a_passage_is_in_reach() -> None:
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    prompt = chat.ask(Assignment(task_type("qa"), PASSAGE, "lease > Rent")).prompt
    assert f"Text:\nFrom: lease > Rent\n\n{PASSAGE}\n\n" in prompt


@pytest.mark.parametrize(
    ("task", "written", "asked", "answer", "same"),
    [
        ("exqa", " When is rent due?\nAnswer: day 1", "Question: When is", " on day 1", True),
        ("exqa", " When is rent due?\nAnswer: day 1", "Question: When is", " not stated", False),
        ("ynqa", " Is rent due on the first day?", "Question: Is rent due", " Yes.", True),
        ("ynqa", " Is rent due on the first day?", "Question: Is rent due", " no", False),
        ("te", " Rent is due on the first day.", "Statement: Rent is due", " true", True),
        ("te", " Rent is due on the first day.", "Statement: Rent is due", " false", False),
    ],
)  # fmt: skip
def test_a_row_is_checked_by_asking_again(
    task: str, written: str, asked: str, answer: str, same: bool
) -> None:
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    # The sentence cannot be changed, so the label is the true one.
    about = Assignment(task_type(task), "Rent falls due at the start, and people pay in cash.")
    done = Completion("r", 0, written, 1, 1, "stop")
    claim = chat.claim(about, done)
    assert claim is not None
    check = chat.reread(about, claim)
    assert check is not None
    assert asked in check.prompt
    assert check.prompt.endswith("Answer:")
    assert check.greedy
    assert check.shape
    assert ("yes" in check.shape.lines[0].choices) == (task == "ynqa")
    assert agrees(claim, answer) is same


def test_what_has_no_answer_is_not_asked_again() -> None:
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    done = Completion("r", 0, " Rent.", 1, 1, "stop")
    assert chat.claim(Assignment(task_type("summarization"), PASSAGE), done) is None
    assert chat.claim(Assignment(task_type("qa"), PASSAGE), done) is None  # does not parse
    assert BONITO.claim(Assignment(task_type("qa"), PASSAGE), done) is None


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
        writer_of("auto", {"tokenizer.chat_template": template})
    assert why in caught.value.title


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
    about = Assignment(FREE, PASSAGE)
    done = InstructWriter().written(about, Completion("r", 0, written, 1, 1, "stop"))
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
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    for task in (OWN, FREE, task_type("exqa"), task_type("mcqa")):
        about = Assignment(task, passage)
        assert chat.ask(about).prompt.startswith("<|im_start|>")
        done = chat.written(about, Completion("r", 0, written, 1, 1, "stop"))
        assert parse_completion(done.text, passage) is None or PIPE in done.text


def test_templates_make_the_instructions(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    asked: list[str] = []

    def answer(request: Request, _: int) -> str:
        asked.append(request.prompt)
        return " good \n"

    job = spec("ynqa")
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    assert isinstance(chat, InstructWriter)
    ledger = run_job(
        store,
        Scripted(answer),
        type(job)(**{f: getattr(job, f) for f in job.__slots__} | {"tasks": (OWN,)}),
        passages(12),
        writer=chat,
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


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (" Which leg of Biscuit the beagle was swollen?\nAnswer: left", "copied from the prompt"),
        (" Who is the Biscuit of the flat?\nAnswer: the tenant", "copied from the prompt"),
        (" When is rent due for the flat?\nAnswer: first day", None),
    ],
)
def test_a_copy_of_the_prompt_is_a_fault(written: str, said: str | None) -> None:
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    done = Completion("r", 0, written, 1, 1, "stop")
    assert chat.fault(Assignment(task_type("exqa"), PASSAGE), done) == said
    if said:  # unless the text is about him
        there = Assignment(task_type("exqa"), f"{PASSAGE} Biscuit is a beagle.")
        assert (chat.fault(there, done) is None) == ("leg" not in written)


def test_a_claim_is_of_the_answer_and_not_of_what_was_thought() -> None:
    chat = writer_of("auto", {"tokenizer.chat_template": CHATML})
    thought = "<think>\nQuestion: Who is Biscuit?\nAnswer: a beagle\n</think>\n"
    text = f"{thought} When is rent due?\nAnswer: day 1"
    about, done = Assignment(task_type("exqa"), PASSAGE), Completion("r", 0, text, 1, 1, "stop")
    claim = chat.claim(about, done)
    assert claim is not None
    assert (claim.text, claim.answer) == ("When is rent due?", "day 1")
    assert chat.fault(about, done) is None
