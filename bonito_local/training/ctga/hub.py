"""Fetches datasets of the paper's from the Hugging Face hub, when the user asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bonito_local.errors import OutputError
from bonito_local.training.ctga.counts import Unused
from bonito_local.training.ctga.paper import PaperDataset, is_there

# Where the hub keeps every dataset as Parquet, CONFIG/SPLIT/NUMBER.parquet, also those that a
# script makes. What is very large is there in part, CONFIG/partial-SPLIT/.
_REVISION = "refs/convert/parquet"


def fetch(
    datasets: Sequence[PaperDataset], data: Path, notify: Callable[[str], None]
) -> list[Unused]:
    """Fetch those that have no folder for them in `data`; return those that cannot be had.

    Raises:
        OutputError: `data` cannot be written to.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{data} cannot be made: {error.strerror}.") from error
    failed: list[Unused] = []
    for dataset in datasets:
        if is_there(data / dataset.name, dataset.subset):
            continue
        notify(f"downloading {dataset.label} ...")
        config = dataset.subset or "*"
        wanted = [f"{config}/{part}{dataset.split}/*.parquet" for part in ("", "partial-")]
        try:
            snapshot_download(
                dataset.name,
                repo_type="dataset",
                revision=_REVISION,
                allow_patterns=wanted,
                local_dir=data / dataset.name,
            )
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            failed.append(
                Unused(
                    dataset.label,
                    f"It cannot be downloaded: {reason}",
                    "Check the connection, or lay the dataset there yourself.",
                )
            )
    return failed
