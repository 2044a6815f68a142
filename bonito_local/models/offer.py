"""What a user asks of the hub, and what that means: the model, its type, its licence, its size.

A model with an adapter can be made from a local base: then the hub is not asked.
"""

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
from bonito_local.models.merging import Recipe, check_adapter
from bonito_local.models.pull import make, pull

_USUAL = "Q4_K_M"
# What may be used for any purpose, with no more asked than to keep the notice.
_FREE = ("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "unlicense", "isc")


@dataclass(frozen=True, slots=True)
class Offer:
    """A pull that could begin. `file` is a GGUF that is taken as it is, None for a checkpoint.

    `kind` is the quantization, or that file's name; `why` the reason for it, where none was
    asked for.
    """

    source: Repo | Recipe
    name: str
    kind: str
    licence: str
    to_fetch: int
    file: HubFile | None = None
    why: str = ""
    terms: str = ""

    @property
    def repo(self) -> Repo | None:
        """The repository to download from; None where the base is a local file."""
        source = self.source.base if isinstance(self.source, Recipe) else self.source
        return source if isinstance(source, Repo) else None

    @property
    def disk(self) -> int:
        """Peak disk space of a model with an adapter, in bytes; 0 for other models."""
        return self.source.disk(self.kind) if isinstance(self.source, Recipe) else 0

    def check_accepted(self, accepted: bool) -> None:
        """Check that the licence of the download is a free one, or was accepted.

        Raises:
            LicenseError: it is neither.
        """
        repo = self.repo
        if repo is None:
            return
        free = repo.licence.lower() in _FREE and not repo.gated
        if not free and not accepted:
            raise LicenseError(
                f"{_conditions(repo)} {self.terms}".strip(),
                f"Read it on {hub.page(repo.name)}; if you accept it, add --accept-license.",
            )


def _conditions(repo: Repo) -> str:
    if not repo.licence:
        return f"{repo.name} does not say its licence."
    on_request = ", and is given to those who ask" if repo.gated else ""
    return f"{repo.name} has the licence {repo.licence}{on_request}."


def offer(
    model: str,
    *,
    name: str | None = None,
    quant: str | None = None,
    file: str | None = None,
    revision: str | None = None,
    base: Path | None = None,
) -> Offer:
    """Ask the hub about a model: a name of the catalog, or OWNER/NAME.

    `base` is a local file with the base of a model with an adapter; then the hub is not asked.

    Raises:
        UsageError: there is no such name or quantization, or the name here is taken.
        ModelError: the model's adapter is not installed.
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
    name = name or (entry.name if entry else address.rsplit("/", 1)[-1])
    store.target(name)
    if entry is not None and entry.adapter:
        return _offer_merged(entry, name, quant, file, revision, base)
    if base is not None:
        names = ", ".join(each.name for each in CATALOG if each.adapter)
        raise UsageError(f"{model} has no adapter: --base does not go with it.", f"With: {names}.")
    repo = hub.look_up(address, revision)
    if file is not None and (file not in repo.files or not file.lower().endswith(".gguf")):
        there = ", ".join(f for f in repo.files if f.lower().endswith(".gguf")) or "none"
        raise UsageError(f"{repo.name} has no GGUF file {file}.", f"There: {there}.")
    taken = repo.files[file] if file else published(repo, quant or _USUAL)
    kind, why = (taken.name, "") if taken else _choose(entry, quant)
    terms = entry.terms if entry else ""
    return Offer(repo, name, kind, repo.licence, to_fetch(repo, taken), taken, why, terms)


def _offer_merged(
    entry: CatalogModel,
    name: str,
    quant: str | None,
    file: str | None,
    revision: str | None,
    base: Path | None,
) -> Offer:
    """Offer a model whose adapter is in the package."""
    if file is not None:
        raise UsageError(
            f"--file does not go with {entry.name}: its base is always the same file.",
            "Leave --file out. For a base on your disk use --base.",
        )
    if base is not None and revision is not None:
        raise UsageError("--revision does not go with --base.", "Leave one of them out.")
    check_adapter(entry)
    recipe = Recipe(entry, base or hub.look_up(entry.repo, revision))
    kind, why = _choose(entry, quant)
    return Offer(recipe, name, kind, entry.licence, recipe.to_fetch, why=why, terms=entry.terms)


def fetch(offered: Offer, tell: Callable[[Step], None]) -> Path:
    """Do it; see `pull` and `make` for what may go wrong. Returns where the model is then."""
    source = offered.source
    if isinstance(source, Recipe):
        return make(source, offered.name, quant=offered.kind, tell=tell)
    quant = _USUAL if offered.file else offered.kind
    return pull(source, offered.name, quant=quant, file=offered.file, tell=tell)


def _choose(entry: CatalogModel | None, quant: str | None) -> tuple[str, str]:
    """The quantization, and why, where none was asked for."""
    if quant is not None or entry is None:
        return quant or _USUAL, ""
    chosen, why = advice.best(advice.quantizations(entry))
    return chosen.name, why
