"""Configurations that no model has, refused before anything is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from bonito_local.convert.architectures import Architecture
from bonito_local.convert.vocab import _is_decoder
from bonito_local.errors import ConvertError

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "vocab_size": 300,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"architectures": [["LlamaForCausalLM"]]}, "is not supported"),
        ({"architectures": 5}, "is not supported"),
        ({"num_hidden_layers": 2_000_000_000}, "num_hidden_layers is 2000000000"),
        ({"vocab_size": 2_000_000_000}, "vocab_size is 2000000000"),
        ({"hidden_size": "9" * 5000}, "hidden_size is '9{59}[.]"),
    ],
)
def test_a_config_of_no_model(changed: dict[str, Any], said: str) -> None:
    assert Architecture.from_config(CONFIG).layers == 2
    with pytest.raises(ConvertError, match=said):
        Architecture.from_config(CONFIG | changed)


def test_added_tokens_by_their_number() -> None:
    assert _is_decoder({"5": {"content": "<s>"}})
    odd: list[Any] = [[], "x", {"five": {}}, {"9" * 5000: {}}, {"5": "<s>"}, {"²": {}}]
    assert not any(map(_is_decoder, odd))
