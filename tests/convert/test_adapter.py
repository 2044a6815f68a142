"""PEFT adapter folders, read without a base: what is merged, by how much, and what never is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from bonito_local.convert.adapter import Adapter, open_adapter
from bonito_local.errors import ConvertError

Q = "base_model.model.model.layers.0.self_attn.q_proj"
EMBED = "base_model.model.model.embed_tokens"
A = np.arange(6, dtype=np.float32).reshape(2, 3)  # [rank, in]
B = np.arange(8, dtype=np.float32).reshape(4, 2) + 1  # [out, rank]
PLAIN = {f"{Q}.lora_A.weight": A, f"{Q}.lora_B.weight": B}
NAME = "model.layers.0.self_attn.q_proj.weight"


def written(folder: Path, tensors: dict[str, np.ndarray] | None = None, **config: Any) -> Path:
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 8, **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    save_file(tensors or PLAIN, folder / "adapter_model.safetensors")
    return folder


def opened(folder: Path, tensors: dict[str, np.ndarray] | None = None, **config: Any) -> Adapter:
    return open_adapter(written(folder, tensors, **config))


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 4.0),
        ({"lora_alpha": 3}, 1.5),
        ({"lora_alpha": 0.5}, 0.25),
        ({"use_rslora": True}, 8 / 2**0.5),
        ({"alpha_pattern": {"q_proj": 2}}, 1.0),
        ({"alpha_pattern": {r"layers\.0\..*": 2}}, 1.0),
        ({"alpha_pattern": {"proj": 2, "k_proj": 3}}, 4.0),  # an end of the path, part by part
        ({"alpha_pattern": {"q_proj": 2, "self_attn.q_proj": 6}}, 1.0),  # the first that fits
        ({"r": 9, "rank_pattern": {"q_proj": 2}}, 4.0),
        ({"init_lora_weights": "gaussian"}, 4.0),
        ({"init_lora_weights": True, "lora_bias": False, "layer_replication": None}, 4.0),
    ],
)
def test_an_update_is_its_matrices_times_its_scale(
    config: dict[str, Any], scale: float, tmp_path: Path
) -> None:
    adapter = opened(tmp_path, base_model_name_or_path="org/base", **config)
    assert adapter.updates.keys() == {NAME}
    update = adapter.updates[NAME]
    assert update.shape == (4, 3)
    assert update.scale == pytest.approx(scale, rel=1e-12)
    left, right, magnitude = update.load()
    np.testing.assert_allclose(left, np.float32(scale) * B, rtol=1e-6)
    np.testing.assert_array_equal(right, A)
    assert magnitude is None
    assert (adapter.base, adapter.keeps_tied, adapter.replaced) == ("org/base", False, {})
    assert adapter.file == tmp_path / "adapter_model.safetensors"


def test_a_pickle_beside_the_weights_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    assert opened(tmp_path).updates.keys() == {NAME}


def test_magnitudes_come_with_dora(tmp_path: Path) -> None:
    sizes = np.array([1, 2, 3, 4], np.float32)
    tensors = {**PLAIN, f"{Q}.lora_magnitude_vector": sizes}
    update = opened(tmp_path, tensors, use_dora=True).updates[NAME]
    _, _, magnitude = update.load()
    np.testing.assert_array_equal(magnitude, sizes)


def test_an_embeddings_matrices_are_the_other_way_round(tmp_path: Path) -> None:
    tensors = {f"{EMBED}.lora_embedding_A": A, f"{EMBED}.lora_embedding_B": B}
    update = opened(tmp_path, tensors).updates["model.embed_tokens.weight"]
    assert update.shape == (3, 4)  # three tokens, four dimensions
    left, right, _ = update.load()
    np.testing.assert_array_equal(left, 4 * A.T)
    np.testing.assert_array_equal(right, B.T)


def test_tensors_that_are_replaced_whole(tmp_path: Path) -> None:
    """By the names of the base, whether PEFT kept them beside a layer or in one of its own."""
    norm = np.ones(3, np.float32)
    tensors = {
        **PLAIN,
        "base_model.model.model.norm.modules_to_save.weight": norm,
        "base_model.model.lm_head.base_layer.weight": A,
    }
    zero = {**tensors, f"{Q}.lora_B.weight": 0 * B}
    for made in (tensors, zero):  # with something to replace, B may be zero
        adapter = opened(tmp_path, made, ensure_weight_tying=True)
        assert adapter.replaced.keys() == {"model.norm.weight", "lm_head.weight"}
        assert adapter.replaced["lm_head.weight"].shape == (2, 3)
        assert (adapter.keeps_tied, adapter.base) == (True, "")


@pytest.mark.parametrize(
    "name",
    "alora_invocation_tokens arrow_config fan_in_fan_out kasa_config layer_replication lora_bias "
    "megatron_config monteclora_config target_parameters trainable_token_indices use_bdlora "
    "use_qalora".split(),
)
def test_settings_that_change_what_weights_mean(name: str, tmp_path: Path) -> None:
    wanted: dict[str, Any] = {name: [1]}
    with pytest.raises(ConvertError, match=f"uses {name}, which cannot be merged"):
        opened(tmp_path, **wanted)


@pytest.mark.parametrize("start", ["PiSSA_niter_4", "olora", "corda", "loftq", "lora_ga"])
def test_initialisations_that_change_the_base(start: str, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=f"initialised with '{start}'"):
        opened(tmp_path, init_lora_weights=start)


SIZES = np.ones(4, np.float32)


@pytest.mark.parametrize(
    ("tensors", "config", "match"),
    [
        (PLAIN, {"peft_type": "LOHA"}, "is a LOHA adapter"),
        (PLAIN, {"r": 3}, "has rank 2, but the config says 3"),
        (PLAIN, {"rank_pattern": {"q_proj": 1}}, "has rank 2, but the config says 1"),
        (PLAIN, {"lora_alpha": 0}, "lora_alpha 0"),
        (PLAIN, {"lora_alpha": True}, "lora_alpha True"),
        (PLAIN, {"lora_alpha": "8"}, "lora_alpha '8'"),
        (PLAIN, {"lora_alpha": float("inf")}, "lora_alpha inf"),
        (PLAIN, {"alpha_pattern": {"(": 1}}, r"malformed pattern: '\('"),
        (PLAIN, {"rank_pattern": [1]}, "patterns are no object"),
        (PLAIN, {"rank_pattern": {"(.*)*x": 1}}, "may take for ever"),
        (PLAIN, {"rank_pattern": {".*.*.*.*x": 1}}, "may take for ever"),
        (PLAIN, {"rank_pattern": {"(a|a)" * 30: 1}}, "may take for ever"),
        (PLAIN, {"use_dora": True}, "use_dora in the config disagree"),
        ({f"{Q}.lora_A.weight": A}, {}, "only part of the update of model.layers.0"),
        ({f"{Q}.lora_B.weight": B}, {}, "only part of the update"),
        ({**PLAIN, f"{Q}.lora_embedding_A": A}, {}, "only part of the update"),
        ({**PLAIN, f"{Q}.lora_B.weight": B.T.copy()}, {}, "do not fit each other"),
        ({**PLAIN, f"{Q}.lora_A.weight": A.reshape(-1)}, {}, "do not fit each other"),
        ({**PLAIN, f"{Q}.lora_B.weight": B.reshape(-1)}, {}, "do not fit each other"),
        ({**PLAIN, f"{Q}.lora_magnitude_vector": SIZES}, {}, "use_dora in the config disagree"),
        (
            {**PLAIN, f"{Q}.lora_magnitude_vector": SIZES[:3]},
            {"use_dora": True},
            "DoRA's magnitudes of model.layers.0.self_attn.q_proj do not fit",
        ),
        (
            {
                f"{EMBED}.lora_embedding_A": A,
                f"{EMBED}.lora_embedding_B": B,
                f"{EMBED}.lora_magnitude_vector": SIZES,
            },
            {"use_dora": True},
            "DoRA's magnitudes of model.embed_tokens do not fit",
        ),
        ({**PLAIN, f"{Q}.lora_B.weight": 0 * B}, {}, "merging it would change nothing"),
    ],
)
def test_what_does_not_fit_together(
    tensors: dict[str, np.ndarray], config: dict[str, Any], match: str, tmp_path: Path
) -> None:
    with pytest.raises(ConvertError, match=match):
        opened(tmp_path, tensors, **config)
