"""What stands around a user's message, in the forms that published models have."""

from __future__ import annotations

import pytest

from bonito_local.errors import ModelError
from bonito_local.writing.chat import Frame, frame

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# A system message is refused (Gemma), or passed over.
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] | trim }}"
    "<end_of_turn>\n{% endfor %}<start_of_turn>model\n"
)
SILENT = (
    "{% for m in messages if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]{% endfor %}"
)
# Qwen3's switch: an empty think block where thinking is off.
THINKING = CHATML + "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"


def test_a_system_message_comes_first() -> None:
    assert frame(CHATML, "Be brief.") == Frame(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
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


def test_thinking_is_off_where_a_template_has_a_switch() -> None:
    assert frame(THINKING).tail.endswith("<think>\n\n</think>\n\n")


def test_a_loop_may_be_left() -> None:
    template = "{% for m in messages %}{{ m['content'] }}{% break %}{% endfor %}"
    assert frame(template) == Frame("", "")


def test_a_template_that_shows_no_message_is_refused() -> None:
    with pytest.raises(ModelError, match="does not hold the message once"):
        frame("nothing", "Be brief.")
