"""What comes with a model: its template, headers, configuration and manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.fuzzing import SECONDS, fuzz


@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.parametrize(
    "name",
    ["chat template", "metadata", "gguf", "safetensors", "checkpoint", "conversion", "manifest"],
)
def test_it_is_read_or_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BONITO_LOCAL_MODELS", str(tmp_path / "models"))
    fuzz(name, tmp_path)
