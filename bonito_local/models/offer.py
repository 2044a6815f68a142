"""What a user asks of the hub, and what that means: the model, its type, its licence, its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bonito_local.convert.mixes import find_mix
from bonito_local.errors import LicenseError, UsageError, did_you_mean
from bonito_local.models import advice, hub, store
from bonito_local.models.catalog import CATALOG, CatalogModel, is_name, known
from bonito_local.models.fetching import Step, published, to_fetch
from bonito_local.models.hub import HubFile, Repo
from bonito_local.models.pull import pull

_USUAL = "Q4_K_M"
# What may be used for any purpose, with no more asked than to keep the notice.
_FREE = ("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "unlicense", "isc")


@dataclass(frozen=True, slots=True)
class Offer:
    """A pull that could begin. `file` is a GGUF that is taken as it is, None for a checkpoint.

    `kind` is the quantization, or that file's name; `why` the reason for it, where none was
    asked for.
    """

    repo: Repo
    name: str
    kind: str
    file: HubFile | None
    to_fetch: int
    why: str = ""
    terms: str = ""

    @property
    def licence(self) -> str:
        """As its page at the hub says."""
        return self.repo.licence

    def _terms(self) -> str:
        if not self.licence:
            return f"{self.repo.name} does not say its licence."
        asked = ", and is given to those who ask" if self.repo.gated else ""
        return f"{self.repo.name} has the licence {self.licence}{asked}."

    def check_accepted(self, accepted: bool) -> None:
        """See that the licence is a free one, or was accepted.

        Raises:
            LicenseError: it is neither.
        """
        free = self.licence.lower() in _FREE and not self.repo.gated
        if not free and not accepted:
            raise LicenseError(
                f"{self._terms()} {self.terms}".strip(),
                f"Read it on {hub.page(self.repo.name)}; if you accept it, add --accept-license.",
            )


def offer(
    model: str,
    *,
    name: str | None = None,
    quant: str | None = None,
    file: str | None = None,
    revision: str | None = None,
) -> Offer:
    """Ask the hub about a model: a name of the catalog, or OWNER/NAME.

    Raises:
        UsageError: there is no such name or quantization, or the name here is taken.
        DownloadError: the hub cannot be reached, or has nothing that can be used.
    """
    if quant is not None and file is not None:
        raise UsageError("A file is of one type as it is.", "Give --quant, or --file.")
    if quant is not None:
        quant = find_mix(quant).name
    entry = known(model)
    address = entry.repo if entry else model
    if entry is not None and not entry.repo:
        raise UsageError(f"{model} comes with the package: there is nothing to fetch.")
    if entry is None and is_name(model):
        near = did_you_mean(model, [each.name for each in CATALOG if each.repo])
        raise UsageError(f"Unknown model {model!r}.", f"{near} Or write OWNER/NAME.")
    name = name or address.rsplit("/", 1)[-1]
    store.target(name)
    repo = hub.look_up(address, revision)
    if file is not None and (file not in repo.files or not file.lower().endswith(".gguf")):
        there = ", ".join(f for f in repo.files if f.lower().endswith(".gguf")) or "none"
        raise UsageError(f"{repo.name} has no GGUF file {file}.", f"There: {there}.")
    taken = repo.files[file] if file else published(repo, quant or _USUAL)
    kind, why = (taken.name, "") if taken else _choose(entry, quant)
    return Offer(repo, name, kind, taken, to_fetch(repo, taken), why, entry.terms if entry else "")


def fetch(offered: Offer, tell: Callable[[Step], None]) -> Path:
    """Do it; see `pull` for what may go wrong. Returns where the model is then."""
    quant = _USUAL if offered.file else offered.kind
    return pull(offered.repo, offered.name, quant=quant, file=offered.file, tell=tell)


def _choose(entry: CatalogModel | None, quant: str | None) -> tuple[str, str]:
    """The quantization, and why, where none was asked for."""
    if quant is not None or entry is None:
        return quant or _USUAL, ""
    chosen, why = advice.best(advice.quantizations(entry))
    return chosen.name, why
