"""Converting in a process of its own: what it takes, and a crash, stay out of the front end.

`python -m bonito_local.convert.process` reads a request from its input and writes how far it
is, a line of JSON each; `Conversion` starts one and reads it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bonito_local import airgap
from bonito_local.child import AnsweringChild
from bonito_local.convert.pipeline import execute
from bonito_local.convert.plan import make_plan
from bonito_local.convert.stream import Progress
from bonito_local.errors import BonitoError, ConvertError


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checkpoint's folder, the GGUF to write, its type, and an adapter's folder or ""."""

    source: str
    output: str
    quant: str = "Q4_K_M"
    adapter: str = ""


class Conversion:
    """A conversion under way; iterate over how far it is."""

    def __init__(self, wanted: Wanted) -> None:
        self._child = AnsweringChild("bonito_local.convert.process", asdict(wanted))

    def __iter__(self) -> Iterator[Progress]:
        """Yield how far it is.

        Raises:
            ConvertError: it cannot be done, or broke off; nothing is left behind.
        """
        for answer in self._child.answers():
            if "title" in answer:
                raise ConvertError(answer["title"], answer["remedy"])
            yield Progress(**answer)
        if self._child.failed():
            raise ConvertError("The conversion ended without a word.", "Is there enough memory?")

    def close(self) -> None:
        """End it, however far it is."""
        self._child.close()


def main() -> int:
    """Be the process that converts."""
    airgap.enter()
    wanted = Wanted(**json.loads(sys.stdin.buffer.read()))

    def tell(data: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(data) + "\n")
        sys.stdout.flush()

    try:
        adapters = (Path(wanted.adapter),) if wanted.adapter else ()
        plan = make_plan(Path(wanted.source), adapters=adapters, quant=wanted.quant)
        execute(plan, Path(wanted.output), progress=lambda progress: tell(asdict(progress)))
    except BonitoError as error:
        tell({"title": error.title, "remedy": error.remedy})
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
