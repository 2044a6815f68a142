"""The real trainer path on a tiny Mistral: bitsandbytes NF4, PEFT, paged AdamW, on a CPU."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

from bonito_local.errors import TrainingError
from bonito_local.training.qlora import QLoraConfig, read_rows, train

ROWS = [
    {"input": f"<|context|>\nThe {a} is {b}.\n<|task|>\n", "output": f"What is the {a}?\n{b}"}
    for a in ("sky", "sea", "grass", "sun", "night")
    for b in ("blue", "green", "wide", "bright")
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([r["input"] + r["output"] for r in ROWS], trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.1,  # so that a frozen head can still tell tokens apart
        bos_token_id=0,
        eos_token_id=1,
    )
    MistralForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.fixture
def config(base: Path, tmp_path: Path) -> QLoraConfig:
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, ROWS)))
    return QLoraConfig(
        base=base,
        data=data,
        out=tmp_path / "adapter",
        rank=8,
        alpha=16,
        learning_rate=5e-3,
        max_steps=60,
        batch_tokens=256,
        buckets=(64,),
        save_every=30,
    )


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]


def test_the_loss_falls_and_the_adapter_changes_the_model(config: QLoraConfig) -> None:
    from peft import PeftModel

    summary = train(config)
    first, *_, last = losses(config.out)
    assert last < first - 1
    assert summary["steps"] == 60
    assert summary["rows"] == 20
    base = AutoModelForCausalLM.from_pretrained(config.base)
    ids = torch.arange(2, 30)[None]
    plain = base(ids).logits.detach()
    adapted = PeftModel.from_pretrained(base, config.out)(ids).logits
    assert (adapted - plain).abs().max() > 0.1
    adapter = json.loads((config.out / "adapter_config.json").read_text())
    linear = {name.rsplit(".", 1)[-1] for name in adapter["target_modules"]}
    attention = {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert linear == attention | {"gate_proj", "up_proj", "down_proj"}


def test_a_resumed_run_equals_an_uninterrupted_one(config: QLoraConfig, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    whole = replace(config, out=tmp_path / "whole")
    train(whole)
    # Stop after half by asking for it, with the learning rate of the whole run.
    halves = replace(config, out=tmp_path / "halves")
    from bonito_local.training import qlora

    class Stop(Exception):
        pass

    save = qlora.save

    def save_once(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        if args[-1] == 30:
            raise Stop

    qlora.save = save_once  # type: ignore[assignment]
    try:
        with pytest.raises(Stop):
            train(halves)
    finally:
        qlora.save = save
    train(halves)
    one = load_file(whole.out / "adapter_model.safetensors")
    two = load_file(halves.out / "adapter_model.safetensors")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_rows_too_long_are_counted_not_cut(config: QLoraConfig) -> None:
    with config.data.open("a") as file:
        file.write("\n" + json.dumps({"input": "x " * 200, "output": "y"}))
    assert train(replace(config, max_steps=1))["rows_too_long"] == 1


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", "holds no rows"),
        ('{"input": "a", "output": ""}', "holds no rows"),
        ('{"input": "a"}', "Line 1"),
        ('{"input": "a", "output": "b"}\nnot json', "Line 2"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, title: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(TrainingError, match=title):
        read_rows(path)
