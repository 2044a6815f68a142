"""Every error a user can meet, as one tree; each says what to do about it.

Front ends turn a `BonitoError` into one line at the edge; nothing else catches
`Exception`. `title` is what went wrong, `remedy` what the user can do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class BonitoError(Exception):
    """Base of all errors shown to users. `exit_code` is the CLI's exit status."""

    exit_code = 1

    def __init__(self, title: str, remedy: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.title} {self.remedy}".strip()


class UsageError(BonitoError):
    """A name or value the user gave is not one we know."""

    exit_code = 2


class DocumentError(BonitoError):
    """One document could not be read; the others go on."""


class ModelError(BonitoError):
    """A model file is missing, broken, or not one that can generate."""


class BackendError(BonitoError):
    """An engine is not installed, or failed while generating."""


class AirGapError(BonitoError):
    """Something tried to use the network in a process that sees a user's text."""


class JobError(BonitoError):
    """The job store is missing, locked, or belongs to another job."""


class OtherSettingsError(JobError):
    """A job was asked for rows of another kind than it holds."""


class OutputError(BonitoError):
    """The dataset cannot be written where the user wants it."""


class ConvertError(BonitoError):
    """A checkpoint or an adapter cannot be converted."""


class DownloadError(BonitoError):
    """A model cannot be fetched: no connection, no such model, or not the bytes it should be."""


class LicenseError(BonitoError):
    """A model's licence has terms that nobody has accepted yet."""


class BundleError(BonitoError):
    """A bundle cannot be made, is damaged, or does not install here."""


class TemplatesError(BonitoError):
    """Templates cannot be read, or the process that renders them does not run."""


class TrainingError(BonitoError):
    """A training run was given something it cannot train on."""


class EvaluationError(BonitoError):
    """An evaluation set, or a template for it, cannot be used."""


@contextmanager
def writing(title: str, remedy: str) -> Iterator[None]:
    """Say what the system's errors in the block mean for the user: `title`, and the reason.

    Raises:
        OutputError: there was one.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{title}: {error.strerror or error}.", remedy) from error


def reason(error: OSError | ValueError) -> str:
    """Return what the system says of a file, in a few words, without its name."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "its name holds a character that no file's has"


def did_you_mean(name: str, known: list[str]) -> str:
    """Return "Did you mean X?" for the nearest known name, or the list of all."""
    import difflib

    # A server or a folder may list a million; to compare with each takes minutes.
    few = [other[:_LONGEST_NAME] for other in known[:_MOST_NAMES]]
    near = difflib.get_close_matches(name.lower()[:_LONGEST_NAME], few, n=1, cutoff=0.6)
    more = f" and {len(known) - _MOST_SHOWN:,} more" if len(known) > _MOST_SHOWN else ""
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(few[:_MOST_SHOWN])}{more}."


_MOST_NAMES, _MOST_SHOWN, _LONGEST_NAME = 1000, 50, 100
