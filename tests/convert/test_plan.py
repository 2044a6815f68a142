"""What does not fit together is refused before anything is written, and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoint import write_adapter, write_checkpoint

from bonito_local.convert.estimate import estimate_seconds
from bonito_local.convert.plan import make_plan
from bonito_local.errors import ConvertError, UsageError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_checkpoint(folder / "base", layers=2, max_shard_size="1MB")
    model = write_checkpoint(folder / "whole", layers=2)
    write_adapter(folder / "adapter", model, target_modules=["q_proj", "v_proj"])
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def edit(path: Path, **changes: object) -> None:
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in value.items() if v != "remove"}))


def refused(folder: Path, match: str, *adapters: Path) -> None:
    with pytest.raises(ConvertError, match=match):
        make_plan(folder, adapters=adapters)


def test_plan_names_shapes_types_and_sizes(made: Path) -> None:
    plan = make_plan(made / "base", adapters=[made / "adapter"], quant="q8_0", merge_into="nf4")
    by_name = {tensor.name: tensor for tensor in plan.tensors}
    q = by_name["blk.1.attn_q.weight"]
    assert (q.shape, q.kind.name, q.nbytes, q.heads, len(q.updates), q.nf4) == (
        (256, 256),
        "Q8_0",
        256 * 8 * 34,
        4,
        1,
        True,
    )
    assert by_name["blk.1.attn_norm.weight"].kind.name == "F32"
    assert not by_name["output.weight"].nf4
    assert plan.nbytes == sum(tensor.nbytes for tensor in plan.tensors)
    assert 0 < estimate_seconds(plan) < 60


class TestCheckpoint:
    def test_missing_shard(self, copy: Path) -> None:
        next((copy / "base").glob("*-00002-of-*.safetensors")).unlink()
        refused(copy / "base", r"Shards are missing in .*: model-00002-of-")

    def test_extra_shard(self, copy: Path) -> None:
        first = next((copy / "base").glob("*-00001-of-*.safetensors"))
        shutil.copy(first, copy / "base" / "model-00009-of-00009.safetensors")
        refused(copy / "base", "does not name: model-00009-of-00009")

    def test_truncated_shard(self, copy: Path) -> None:
        first = next((copy / "base").glob("*-00001-of-*.safetensors"))
        first.write_bytes(first.read_bytes()[:-10])
        refused(copy / "base", "is cut off")

    def test_index_that_leaves_the_folder(self, copy: Path) -> None:
        index = copy / "base" / "model.safetensors.index.json"
        edit(index, weight_map={"a": "../whole/model.safetensors"})
        refused(copy / "base", "no sound weight_map")

    def test_shards_without_an_index(self, copy: Path) -> None:
        (copy / "base" / "model.safetensors.index.json").unlink()
        refused(copy / "base", r"holds shards but no model\.safetensors\.index\.json")

    def test_pickles_are_never_loaded(self, copy: Path) -> None:
        (copy / "whole" / "model.safetensors").rename(copy / "whole" / "pytorch_model.bin")
        refused(copy / "whole", "pickled weights, which are never loaded")

    def test_no_weights_and_no_folder(self, copy: Path) -> None:
        (copy / "whole" / "model.safetensors").unlink()
        refused(copy / "whole", "holds no model.safetensors")
        refused(copy / "absent", "is not a checkpoint folder")

    def test_missing_and_unknown_tensors(self, copy: Path) -> None:
        path = copy / "whole" / "model.safetensors"
        tensors = load_file(path)
        norm = tensors.pop("model.layers.1.input_layernorm.weight")
        save_file(tensors, path)
        refused(copy / "whole", r"has no tensor 'model.layers.1.input_layernorm.weight'")
        tensors["model.layers.1.input_layernorm.weight"] = norm
        tensors["model.layers.2.mystery"] = norm.clone()
        save_file(tensors, path)
        refused(copy / "whole", r"does not know: 'model.layers.2.mystery'")

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"architectures": ["GPT2LMHeadModel"]}, r"'GPT2LMHeadModel' is not supported"),
            ({"architectures": "remove"}, "None is not supported"),
            ({"hidden_size": 255}, "shape"),
            ({"num_attention_heads": 0}, "num_attention_heads is 0"),
            ({"vocab_size": "many"}, "vocab_size is 'many'"),
            ({"rms_norm_eps": float("nan")}, "rms_norm_eps is nan"),
            ({"num_key_value_heads": 3}, "do not divide"),
            ({"hidden_act": "gelu"}, "'gelu' is not supported"),
            ({"quantization_config": {"bits": 4}}, "already quantized"),
            ({"rope_parameters": {"rope_type": "longrope"}}, "'longrope' is not supported"),
            ({"eos_token_id": 10**9}, "EOS|eos"),
        ],
    )
    def test_config(self, changes: dict[str, object], match: str, copy: Path) -> None:
        edit(copy / "whole" / "config.json", **changes)
        if "eos_token_id" in changes:
            edit(copy / "whole" / "tokenizer_config.json", eos_token="remove")
        refused(copy / "whole", match)

    def test_config_that_is_not_json(self, copy: Path) -> None:
        (copy / "whole" / "config.json").write_text("{")
        refused(copy / "whole", "is not valid JSON")

    def test_unknown_names(self, made: Path) -> None:
        with pytest.raises(UsageError, match="Unknown quantization"):
            make_plan(made / "whole", quant="Q9")
        with pytest.raises(UsageError, match="Unknown merge base"):
            make_plan(made / "whole", merge_into="fp4")  # type: ignore[arg-type]


class TestAdapter:
    def rewrite(self, folder: Path, **changes: torch.Tensor | None) -> None:
        path = folder / "adapter_model.safetensors"
        tensors = load_file(path)
        for name, tensor in changes.items():
            key = next(k for k in tensors if name in k)
            del tensors[key]
            if tensor is not None:
                tensors[key] = tensor
        save_file(tensors, path)

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"peft_type": "IA3"}, "is a IA3 adapter"),
            ({"fan_in_fan_out": True}, "uses fan_in_fan_out"),
            ({"lora_bias": True}, "uses lora_bias"),
            ({"trainable_token_indices": [1]}, "uses trainable_token_indices"),
            ({"init_lora_weights": "pissa_niter_4"}, "initialised with 'pissa_niter_4'"),
            ({"r": 4}, "has rank 8, but the config says 4"),
            ({"lora_alpha": 0}, "lora_alpha 0"),
            ({"use_dora": True}, "use_dora in the config disagree"),
            ({"rank_pattern": {"(": 3}}, "malformed pattern"),
        ],
    )
    def test_config(self, changes: dict[str, object], match: str, copy: Path) -> None:
        edit(copy / "adapter" / "adapter_config.json", **changes)
        refused(copy / "whole", match, copy / "adapter")

    def test_that_changes_nothing(self, copy: Path) -> None:
        path = copy / "adapter" / "adapter_model.safetensors"
        tensors = load_file(path)
        save_file({k: t * ("lora_A" in k) for k, t in tensors.items()}, path)
        refused(copy / "whole", "would change nothing", copy / "adapter")
        save_file({}, path)
        refused(copy / "whole", "holds no LoRA weights", copy / "adapter")

    def test_for_another_shape(self, copy: Path) -> None:
        self.rewrite(copy / "adapter", **{"layers.1.self_attn.q_proj.lora_A": torch.ones(8, 128)})
        refused(copy / "whole", r"as \[256, 128\], but the base has \[256, 256\]", copy / "adapter")

    def test_for_other_layers(self, made: Path, tmp_path: Path) -> None:
        model = write_checkpoint(tmp_path / "deep", layers=3)
        write_adapter(tmp_path / "adapter", model)
        refused(made / "whole", "which the base does not have", tmp_path / "adapter")

    def test_half_of_a_pair(self, copy: Path) -> None:
        self.rewrite(copy / "adapter", **{"layers.0.self_attn.v_proj.lora_B": None})
        refused(copy / "whole", "only part of the update of model.layers.0", copy / "adapter")

    def test_pickle(self, copy: Path) -> None:
        weights = copy / "adapter" / "adapter_model.safetensors"
        weights.rename(weights.with_suffix(".bin"))
        refused(copy / "whole", "pickled adapter", copy / "adapter")
