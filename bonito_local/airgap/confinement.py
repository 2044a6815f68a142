"""What holds a process that reads strangers' files, beyond the air gap itself."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from bonito_local.airgap.limits import die_with_parent, limit_memory


def confine(most_memory: int, readable: Iterable[Path] | None, writable: Iterable[Path]) -> None:
    """Bound memory and files, and end with the parent, as far as the system can.

    Beside `readable`, Python's own files can be read; all can with None.
    """
    limit_memory(most_memory)
    if sys.platform == "linux":
        from bonito_local.airgap.landlock import confine_files

        programs = {Path(sys.prefix), Path(sys.base_prefix), *map(Path, sys.path)}
        confine_files(None if readable is None else programs | {*readable}, writable)
        die_with_parent()
