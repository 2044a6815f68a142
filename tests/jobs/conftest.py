from collections.abc import Iterator
from pathlib import Path

import pytest

from bonito_local.jobs.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / ".job" / "store.sqlite")
    yield opened
    opened.close()
