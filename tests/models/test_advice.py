"""Which quantization is advised: by memory, and by what was measured on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bonito_local.convert.architectures import Architecture
from bonito_local.convert.checkpoint import read_json
from bonito_local.convert.plan import make_plan
from bonito_local.models import advice
from bonito_local.models.advice import Quantization, best, file_bytes, quantizations
from bonito_local.models.catalog import CATALOG

GB = 10**9


@pytest.mark.parametrize("quant", ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M"])
def test_sizes_are_those_of_the_conversion(checkpoint: Path, quant: str) -> None:
    architecture = Architecture.from_config(read_json(checkpoint / "config.json"))
    assert file_bytes(architecture, quant) == make_plan(checkpoint, quant=quant).nbytes


# As llama.cpp's own quantizer makes them of these architectures.
KNOWN = {
    "bonito-0.5b": {"Q4_K_M": 0.485, "Q5_K_M": 0.516, "Q6_K": 0.644, "Q8_0": 0.670},
    "bonito-v1": {"Q4_K_M": 4.37, "Q5_K_M": 5.13, "Q6_K": 5.94, "Q8_0": 7.70},
    "Llama-3.1-8B-bonito-v1": {"Q4_K_M": 4.92, "Q5_K_M": 5.73, "Q6_K": 6.60, "Q8_0": 8.54},
}


@pytest.mark.parametrize("model", [m for m in CATALOG if m.repo], ids=lambda m: m.name)
def test_the_catalog_knows_how_large_its_models_become(model: object) -> None:
    from bonito_local.models.catalog import CatalogModel

    assert isinstance(model, CatalogModel)
    found = {each.name: each.bytes / GB for each in quantizations(model)}
    for quant, size in KNOWN[model.name].items():
        assert found[quant] == pytest.approx(size, rel=0.003)
    assert model.licence


def made(**costs: float) -> list[Quantization]:
    sizes = {"Q8_0": 8, "Q6_K": 6, "Q5_K_M": 5, "Q4_K_M": 4}
    return [
        Quantization(name, size * GB, (size + 2) * GB, costs[name], measured=True)
        for name, size in sizes.items()
    ]


@pytest.mark.parametrize(
    ("free", "costs", "chosen"),
    [
        (100, (3.1, 1.3, 1.1, 1.0), "Q5_K_M"),  # Q8_0 fits, but is slow
        (100, (1.2, 1.2, 1.1, 1.0), "Q8_0"),
        (9, (1.0, 1.3, 1.0, 1.0), "Q5_K_M"),  # Q8_0 does not fit
        (6.5, (3.1, 1.3, 1.1, 1.0), "Q4_K_M"),
        (1, (3.1, 1.3, 1.1, 1.0), "Q4_K_M"),  # nothing fits
    ],
)
def test_the_most_exact_that_fits_and_is_fast(
    free: float, costs: tuple[float, ...], chosen: str
) -> None:
    named = dict(zip(("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"), costs, strict=True))
    found, why = best(made(**named), int(free * GB))
    assert found.name == chosen
    assert ("needs" in why) == (free == 1)


def test_what_was_measured_here_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = next(m for m in CATALOG if m.repo)
    assert best(quantizations(model), 100 * GB)[0].name == "Q5_K_M"
    # A machine whose Q8_0 is as fast as Q4_K_M was measured to be.
    monkeypatch.setattr(advice, "measured_costs", lambda _: {"Q8_0": 1e-9, "Q4_K_M": 1e-9})
    chosen, why = best(quantizations(model), 100 * GB)
    assert chosen.name == "Q8_0"
    assert "as measured here" in why
