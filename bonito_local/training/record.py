"""OUTPUT/training.json: what an adapter was made of, and whether a run there may go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bonito_local import __version__, airgap
from bonito_local.backends.checkpoint import read_checkpoint
from bonito_local.errors import TrainingError
from bonito_local.exports.staging import write_private
from bonito_local.private import make_folder
from bonito_local.training import checkpoint
from bonito_local.training.compute import Compute
from bonito_local.training.config import TrainConfig
from bonito_local.training.model import RECORD, check_adapter, check_base, read_record
from bonito_local.training.plan import Held, Way
from bonito_local.training.processes import Processes
from bonito_local.training.rows import files_hash
from bonito_local.training.tokens import Counts

_LIBRARIES = ("bitsandbytes", "peft", "torch", "transformers")
# What a run that goes on must share with the one before; the rest changes only how it computes.
_KEPT = (
    *("kind", "adapter", "rank", "alpha", "learning_rate", "max_grad_norm", "batch", "steps"),
    *("input_tokens", "output_tokens", "share_prompts", "seed"),
)


@dataclass(frozen=True, slots=True)
class Record:
    """A run's record. `weights` is empty, and `steps` 0, until the run has settled them."""

    config: Mapping[str, Any]
    base_sha256: str
    data: tuple[str, ...]
    data_sha256: str
    counts: Counts = field(default_factory=Counts)
    steps: int = 0
    weights: Held | None = None
    checkpointing: bool = False
    compute: Compute | None = None
    processes: int = 1
    done: bool = False
    loss: float = 0.0

    @property
    def tokens_key(self) -> str:
        """What its tokens depend on."""
        told = [self.base_sha256, self.data_sha256]
        keys = ["kind", "input_tokens", "output_tokens"]
        if self.config["share_prompts"]:
            keys += ["share_prompts", "micro_tokens"]  # which bounds a group
        told += [str(self.config[key]) for key in keys]
        return hashlib.sha256(" ".join(told).encode()).hexdigest()

    def settle(self, counts: Counts, steps: int, way: Way, compute: Compute) -> Record:
        """Add what follows from data and machine."""
        return replace(
            self,
            counts=counts,
            steps=steps,
            weights=way.weights,
            checkpointing=way.checkpointing,
            compute=compute,
        )

    def end(self, loss: float) -> Record:
        """Say that all steps were taken."""
        return replace(self, done=True, loss=loss)

    def write(self, folder: Path) -> None:
        """Write it, with the versions of what computes."""
        told = {
            "made_by": "bonito-local",
            "version": __version__,
            "libraries": {name: version(name) for name in _LIBRARIES},
            "air_gap": str(airgap.active()),
            **asdict(self),
        }
        write_private(folder / RECORD, json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def begin(config: TrainConfig, data: Sequence[Path], processes: Processes) -> Record:
    """Check base, adapter and output, and return the record of the run, or of one to go on with.

    Raises:
        TrainingError: the output holds another run, or the adapter belongs to another base.
        ConvertError, ModelError: the base is not complete, or not of a known kind.
    """
    check_base(config.base)
    fresh = Record(
        config=config.as_json(),
        base_sha256=read_checkpoint(config.base).sha256(),
        data=tuple(map(str, data)),
        data_sha256=files_hash(data),
        processes=processes.count,
    )
    if config.adapter is not None:
        check_adapter(config, config.adapter, fresh.base_sha256)
    before = read_record(config.output)
    begun = (config.output / checkpoint.NAME).exists() or before.get("done")
    if not begun:
        if (config.output / "adapter_config.json").exists() and not before:
            raise TrainingError(
                f"{config.output} holds an adapter that was not made here.", "Name another output."
            )
        if processes.first:
            make_folder(config.output)
        processes.wait()
        return fresh
    if other := _difference(before, fresh):
        raise TrainingError(
            f"{config.output} holds a run with another {other}.",
            "Name another output, or remove that folder.",
        )
    processes.wait()
    return replace(
        fresh,
        counts=Counts(**before["counts"]),
        steps=before["steps"],
        weights=before["weights"],
        checkpointing=before["checkpointing"],
        compute=Compute.of(before.get("compute")),
        done=before["done"],
        loss=before["loss"],
    )


def _difference(before: Mapping[str, Any], fresh: Record) -> str:
    """The first thing in which a run differs from the one that is there."""
    if before.get("base_sha256") != fresh.base_sha256:
        return "base"
    if before.get("data_sha256") != fresh.data_sha256:
        return "data file"
    config = {"share_prompts": False, "weights": "auto", **before.get("config", {})}
    if (config["weights"] == "base") != (fresh.config["weights"] == "base"):
        return "weights"
    # Groups follow from micro_tokens; without them it only changes how a run computes.
    kept = (*_KEPT, "micro_tokens") if fresh.config["share_prompts"] else _KEPT
    return next((key for key in kept if config.get(key) != fresh.config[key]), "")
