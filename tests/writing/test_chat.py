"""What stands around a user's message, in templates with the structure of published ones."""

from __future__ import annotations

import pytest
from chat_templates import CHATML, PUBLISHED

from bonito_local.errors import ModelError
from bonito_local.writing.chat import Frame, frame, plain_frame, turn_ends
from bonito_local.writing.rendering import render

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TURNS = (("Ask.", "Said."),)
# A system message is refused (Gemma 2), or passed over.
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] | trim }}"
    "<end_of_turn>\n{% endfor %}<start_of_turn>model\n"
)
SILENT = (
    "{% for m in messages if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]{% endfor %}"
)


def test_a_system_message_comes_first() -> None:
    found = frame(CHATML, "Be brief.")
    assert (found.head, found.tail, found.stops) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
        ("<|im_end|>",),
    )
    assert frame(CHATML).head == "<|im_start|>user\n"


@pytest.mark.parametrize(
    ("template", "head"),
    [(NO_SYSTEM, "<start_of_turn>user\nBe brief.\n\n"), (SILENT, "[INST] Be brief.\n\n")],
)
def test_a_system_message_goes_to_the_user_where_there_is_no_place(
    template: str, head: str
) -> None:
    assert frame(template, "Be brief.").head == head


@pytest.mark.parametrize(
    ("name", "head", "tail", "stops"),
    [
        (
            "qwen3",
            "<|im_start|>assistant\nSaid.<|im_end|>\n<|im_start|>user\n",
            "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
            ("<|im_end|>",),
        ),
        (
            "gpt-oss",
            "assistant<|channel|>final<|message|>Said.<|end|><|start|>user<|message|>",
            "<|end|><|start|>assistant<|channel|>final<|message|>",
            ("<|end|>", "<|return|>"),
        ),
        (
            "deepseek-r1",
            "<s>Be brief.<｜User｜>Ask.<｜Assistant｜>Said.<｜end▁of▁sentence｜><｜User｜>",
            "<｜Assistant｜><think>\n\n</think>\n\n",
            ("<｜end▁of▁sentence｜>",),
        ),
        (
            "phi-4-reasoning",
            "user<|im_sep|>Be brief.\n\nAsk.<|im_end|><|im_start|>assistant<|im_sep|>Said."
            "<|im_end|><|im_start|>user<|im_sep|>",
            "<|im_end|><|im_start|>assistant<|im_sep|><think>\n\n</think>\n\n",
            ("<|im_end|>",),
        ),
        (
            "smollm3",
            "assistant\n<think>\n\n</think>\nSaid.<|im_end|>\n\n<|im_start|>user\n",
            "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n",
            ("<|im_end|>",),
        ),
        (
            "nemotron",
            "<SPECIAL_10>System\nBe brief.\n<SPECIAL_11>user\nAsk.\n<SPECIAL_11>assistant\nSaid.\n"
            "<SPECIAL_12>\n<SPECIAL_11>user\n",
            "\n<SPECIAL_11>assistant\n<think></think>",
            ("<SPECIAL_12>",),
        ),
        (
            "granite-3.3",
            "Said.<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>",
            "<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
            ("<|end_of_text|>",),
        ),
        (
            "gemma-3",
            "<s><start_of_turn>user\nBe brief.\n\nAsk.<end_of_turn>\n<start_of_turn>model\nSaid."
            "<end_of_turn>\n<start_of_turn>user\n",
            "<end_of_turn>\n<start_of_turn>model\n",
            ("<end_of_turn>",),
        ),
        (
            "llama-3",
            "Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAsk.<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nSaid.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\n",
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            ("<|eot_id|>",),
        ),
        (
            "mistral-small",
            "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]Ask.[/INST]Said.</s>[INST]",
            "[/INST]",
            ("</s>",),
        ),
        (
            "magistral",
            "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]Ask.[/INST]Said.</s>[INST]",
            "[/INST][THINK][/THINK]",
            ("</s>",),
        ),
        (
            "vicuna",
            "Be brief.\nUSER: Ask.\nASSISTANT: Said.\nUSER: ",
            "\nASSISTANT:",
            ("USER:",),
        ),
    ],
)
def test_published_templates(name: str, head: str, tail: str, stops: tuple[str, ...]) -> None:
    found = frame(PUBLISHED[name], "Be brief.", TURNS, TOKENS)
    assert found.head.endswith(head)
    assert (found.tail, found.stops) == (tail, stops)


def test_little_effort_where_thinking_has_degrees() -> None:
    assert "Reasoning: low<|end|>" in frame(PUBLISHED["gpt-oss"]).head
    named = "{{ reasoning_effort }}{% if reasoning_effort == 'none' %}{% endif %}"
    assert frame(named + CHATML).head.startswith("none<|im_start|>")


def test_what_ends_an_answer_where_the_end_token_is_not_known() -> None:
    assert frame(PUBLISHED["mistral-small"], "Be brief.").stops == ("[INST]",)


def test_a_prompt_and_its_begun_answer() -> None:
    prompt = frame(CHATML, "Be brief.", TURNS).around("Why?", "Answer:")
    assert prompt.endswith("<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nAnswer:")
    assert (prompt.text, prompt.lead) == ("Why?", "Answer:")
    assert Frame().around("Why?", plainly="\n\n") == "Why?\n\n"


def test_what_ends_a_turn_by_a_models_file() -> None:
    assert turn_ends({"tokenizer.chat_template": PUBLISHED["gpt-oss"]}) == ("<|end|>", "<|return|>")
    assert turn_ends({"tokenizer.chat_template": "{% for"}) == turn_ends({}) == ()


def test_the_conversation_goes_with_a_prompt_without_a_template() -> None:
    prompt = plain_frame("Be brief.", TURNS).around("Why?", "Answer:")
    assert prompt == "Be brief.\n\nAsk.\nSaid.\n\nWhy?\nAnswer:"
    assert [(said["role"], said["content"]) for said in prompt.messages] == [
        ("system", "Be brief."),
        ("user", "Ask."),
        ("assistant", "Said."),
        ("user", "Why?"),
    ]
    assert plain_frame("", ()).around("Why?").messages == [{"role": "user", "content": "Why?"}]


def test_a_loop_may_be_left() -> None:
    template = "{% for m in messages %}{{ m['content'] }}{% break %}{% endfor %}"
    assert frame(template) == Frame("", "")


def test_a_template_that_shows_no_message_is_refused() -> None:
    with pytest.raises(ModelError, match="does not hold the message once"):
        frame("nothing", "Be brief.")


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("asks", [True, False])
def test_templates_read_as_transformers_reads_them(name: str, asks: bool) -> None:
    theirs = pytest.importorskip("transformers.utils.chat_template_utils")
    roles = ("user", "assistant", "user", "assistant")[: 3 if asks else 4]
    said = [{"role": role, "content": f"{role} says ‘é’ <&> "} for role in roles]
    values = {**TOKENS, "add_generation_prompt": asks}
    for messages in (said, [{"role": "system", "content": "Be brief."}, *said]):
        (text,), _ = theirs.render_jinja_template(
            [messages], chat_template=PUBLISHED[name], **values
        )
        assert render(PUBLISHED[name], messages, values) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ {'b': '<é>', 'a': [1]} | tojson }} {{ [1] | tojson(indent=2) }}",
        "{{ {'b': 1, 'a': 2} | tojson(sort_keys=true, separators=(',', ':')) }}",
        "{{ strftime_now('%Y %B') }} {{ dict(a=1).a }} {{ tools is none }} {{ documents is none }}",
        "{% set ns = namespace({'a': 1}, b=2) %}{% set ns.a = 3 %}{{ ns.a + ns.b }}",
        "{% generation %}{% set said = 'in' %}{{ said }}{% endgeneration %}{{ said }}",
        "  {% if true %}\n  kept\n  {% endif %}\nend",
        "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
        "{{ bos_token }}{{ pad_token }}{{ messages[0].lacking }}",
    ],
)
def test_what_templates_may_use(template: str) -> None:
    theirs = pytest.importorskip("transformers.utils.chat_template_utils")
    messages = [{"role": "user", "content": "Why?"}]
    (text,), _ = theirs.render_jinja_template([messages], chat_template=template, **TOKENS)
    assert render(template, messages, TOKENS) == text


@pytest.mark.parametrize(
    "template",
    [
        "{% set ns = namespace(__class__=1) %}",
        "{% set ns = namespace() %}{% set ns._a = 1 %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ dict.mro() }}",
        "{{ messages.append(1) }}",
    ],
)
def test_a_template_keeps_to_its_sandbox(template: str) -> None:
    with pytest.raises(ModelError, match="cannot be used"):
        render(template, [], {})
