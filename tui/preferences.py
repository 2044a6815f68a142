"""What the user set in the app: kept in a small file, nothing of any document in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from platformdirs import user_config_path

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.bounds import user_folder
from bonito_local.errors import OutputError
from bonito_local.private import make_folder
from bonito_local.shapes import parse


@dataclass(frozen=True, slots=True)
class Preferences:
    """The theme, where documents and datasets are looked for first, the model of new jobs.

    `online` is "yes" where the user lets the app fetch models.
    """

    theme: str = "bonito-dark"
    folder: str = ""
    model: str = DEFAULT_MODEL
    models: str = ""
    online: str = "no"

    def documents_folder(self) -> Path:
        """Where new jobs look first."""
        return user_folder(self.folder) or Path.cwd()

    def models_folder(self) -> Path:
        """Where GGUF files are looked for."""
        return user_folder(self.models) or Path.cwd()


def preferences_path() -> Path:
    """Where the file is."""
    return user_config_path("bonito-local") / "app.json"


def load() -> Preferences:
    """Read the file; what is usual where there is none, or it cannot be read."""
    try:
        data = parse(preferences_path().read_text(encoding="utf-8"))
        known = {name: data[name] for name in Preferences.__slots__ if name in data}
    except (OSError, ValueError, TypeError):
        return Preferences()
    return Preferences(**{name: value for name, value in known.items() if isinstance(value, str)})


def save(preferences: Preferences) -> None:
    """Keep the preferences.

    Raises:
        OutputError: the file cannot be written.
    """
    path = preferences_path()
    try:
        make_folder(path.parent)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(preferences), indent=2) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise OutputError(
            f"The settings cannot be kept in {path}: {error.strerror}.",
            "See that your home can be written to.",
        ) from error
