"""Fetching a model in a process of its own: the network, what it takes, and a crash stay there.

`python -m bonito_local.models.process` reads a request from its input and writes what it is about
to do and how far it is, a line of JSON each; `Pulling` starts one and reads it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from time import monotonic

from bonito_local.child import AnsweringChild
from bonito_local.errors import BonitoError, DownloadError, LicenseError
from bonito_local.models.fetching import Step

_SECONDS = 0.1  # between two lines at least


@dataclass(frozen=True, slots=True)
class Wanted:
    """A name of the catalog or OWNER/NAME; `quant` is "" for what suits this machine."""

    model: str
    quant: str = ""
    accepted: bool = False


class Pulling:
    """A pull under way; iterate over how far it is. `name` and `kind` are known from then on."""

    def __init__(self, wanted: Wanted) -> None:
        self.name = ""
        self.kind = ""
        self._child = AnsweringChild("bonito_local.models.process", asdict(wanted))

    def __iter__(self) -> Iterator[Step]:
        """Yield how far it is.

        Raises:
            LicenseError: the licence has terms that were not accepted.
            DownloadError: it cannot be done, or broke off; what was fetched stays.
        """
        for answer in self._child.answers():
            if "title" in answer:
                kind = LicenseError if answer["licence"] else DownloadError
                raise kind(answer["title"], answer["remedy"])
            if "kind" in answer:
                self.name, self.kind = answer["name"], answer["kind"]
            else:
                yield Step(**answer)
        if self._child.failed():
            raise DownloadError("Fetching ended without a word.", "Is there enough memory?")

    def close(self) -> None:
        """End it, however far it is; the next one goes on from there."""
        self._child.close()


def main() -> int:
    """Be the process that fetches."""
    wanted = Wanted(**json.loads(sys.stdin.buffer.read()))
    from bonito_local.models.offer import fetch, offer

    def tell(data: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(data) + "\n")
        sys.stdout.flush()

    last = 0.0

    def step(at: Step) -> None:
        nonlocal last
        if monotonic() - last >= _SECONDS or (at.fetched, at.tensors) == (
            at.to_fetch,
            at.of_tensors,
        ):
            last = monotonic()
            tell(asdict(at))

    try:
        offered = offer(wanted.model, quant=wanted.quant or None)
        offered.check_accepted(wanted.accepted)
        tell({"name": offered.name, "kind": offered.kind})
        fetch(offered, step)
    except BonitoError as error:
        licence = isinstance(error, LicenseError)
        tell({"title": error.title, "remedy": error.remedy, "licence": licence})
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
