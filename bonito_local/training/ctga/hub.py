"""Fetches datasets of the paper's from the Hugging Face hub, when the user asks for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bonito_local.errors import DownloadError, OutputError
from bonito_local.training.ctga.counts import Unused
from bonito_local.training.ctga.paper import PaperDataset, is_there

# Before the library is imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

# Where the hub keeps every dataset as Parquet, CONFIG/SPLIT/NUMBER.parquet, also those that a
# script makes. What is very large is there in part, CONFIG/partial-SPLIT/.
_REVISION = "refs/convert/parquet"


def fetch(
    datasets: Sequence[PaperDataset], data: Path, notify: Callable[[str], None]
) -> list[Unused]:
    """Fetch those that `data` lacks, each whole or not at all; return those that cannot be had.

    Raises:
        OutputError: `data` cannot be written to.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{data} cannot be made: {error.strerror}.") from error
    failed: list[Unused] = []
    for dataset in datasets:
        if is_there(data / dataset.name, dataset.subset):
            continue
        notify(f"downloading {dataset.label} ...")
        try:
            _fetch(dataset, data)
        except DownloadError as error:
            failed.append(Unused(dataset.label, error.title, error.remedy))
    return failed


def _fetch(dataset: PaperDataset, data: Path) -> None:
    from huggingface_hub import errors, snapshot_download

    # What an interrupted download left there is gone on with.
    part = data / f".{dataset.label.replace('/', '-')}.part"
    splits = [f"{kind}{dataset.split}" for kind in ("", "partial-")]
    try:
        snapshot_download(
            dataset.name,
            repo_type="dataset",
            revision=_REVISION,
            allow_patterns=[f"{dataset.subset or '*'}/{split}/*.parquet" for split in splits],
            local_dir=part,
        )
    # Its HTTP library is httpx or httpx2, by its release; what is no hub answers no JSON of one.
    except (
        errors.HTTPError,  # type: ignore[attr-defined]
        *(OSError, ValueError, KeyError, TypeError),
    ) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DownloadError(
            f"it cannot be downloaded: {reason}",
            "Check the connection, or lay the dataset there yourself.",
        ) from error
    found = [path for path in part.iterdir() if not path.name.startswith(".")]
    if not found:
        shutil.rmtree(part)
        raise DownloadError("the hub has no Parquet copy of it", "Lay the dataset there yourself.")
    (data / dataset.name).mkdir(exist_ok=True)
    for path in found:
        path.rename(data / dataset.name / path.name)
    shutil.rmtree(part)
