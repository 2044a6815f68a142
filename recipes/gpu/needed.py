"""Find the packages that training, converting and measuring import, and which of them to bring.

    python needed.py OUT.json

Prints the packages to bring, one a line. OUT.json has those and the ones that are assumed to be on
the GPU machine; `preflight.py` looks for both there.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What the commands of the kit load. What only reads documents or shows screens is not needed.
MODULES = (
    *("bonito_local.cli.main", "bonito_local.cli.convert", "bonito_local.cli.foreground"),
    *("bonito_local.cli.train_run", "bonito_local.convert.dequantize"),
    *("bonito_local.convert.pipeline", "bonito_local.backends.llamacpp.engine"),
    *("bonito_local.backends.llamacpp.tuning", "bonito_local.training.run"),
)
# Assumed to be on the machine, where the project needs them.
THERE = {
    *("accelerate", "charset-normalizer", "click", "filelock", "huggingface-hub", "jinja2", "lxml"),
    *("markdown-it-py", "numpy", "peft", "psutil", "pyarrow", "pyyaml", "rich", "threadpoolctl"),
    *("tokenizers", "torch", "transformers"),
}
ALWAYS_THERE = ("pytest", "pytest-timeout", "safetensors")
ALWAYS_BROUGHT = ("diskcache",)  # llama-cpp-python imports it
BUILT_THERE = "llama-cpp-python"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def dependencies(project: Path) -> set[str]:
    """Return the names of the packages that the project and its training need."""
    table = tomllib.loads(project.read_text("utf-8"))["project"]
    listed = [*table["dependencies"], *table["optional-dependencies"]["train"]]
    return {canonical(m[0]) for m in (re.match(r"[\w.-]+", text) for text in listed) if m}


def sort_out(
    loaded: Iterable[str], own: set[str], owners: Mapping[str, Iterable[str]]
) -> tuple[list[str], list[str]]:
    """Return the packages of loaded modules that are assumed there, and those to bring."""
    modules = {name.partition(".")[0] for name in loaded}
    packages = {canonical(package) for module in modules for package in owners.get(module, ())}
    needed = packages & own - {BUILT_THERE}
    return sorted({*ALWAYS_THERE, *needed & THERE}), sorted({*ALWAYS_BROUGHT, *needed - THERE})


def main() -> None:
    for name in MODULES:
        import_module(name)
    own = dependencies(ROOT / "pyproject.toml")
    assumed, brought = sort_out(list(sys.modules), own, packages_distributions())
    found = {"assumed": assumed, "brought": brought}
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")
    print("\n".join(brought))


if __name__ == "__main__":
    main()
