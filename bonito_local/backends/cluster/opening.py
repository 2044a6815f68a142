"""What the driver tells an engine on another node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonito_local import __version__


@dataclass(frozen=True, slots=True)
class Opening:
    """What an actor opens: a registered backend with a model that lies at the same path.

    `plan` is a `Plan`'s fields but for its callables. `share` engines share a node's cores, 1
    where each has a node or a GPU to itself.
    """

    backend: str
    model: Path
    plan: dict[str, Any]
    share: int
    version: str = __version__
