"""Every way out, as a job and as a reader, on systems that have all layers and on lesser ones."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from lesser_systems import SYSTEMS, tried_on

from bonito_local.airgap.layers import LANDLOCK, NAMESPACE
from bonito_local.airgap.ways import SUBJECTS, Subject, ways

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="layers of Linux's kernel")
# Refused to root, who gives up its rights over other processes, and open to anybody else.
FOR_ROOT = {"/proc/PID/mem"} if os.geteuid() == 0 else set[str]()


def written() -> ModuleType:
    path = Path(__file__).parents[2] / "docs" / "ways_out.py"
    spec = importlib.util.spec_from_file_location("ways_out", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_is_open_is_what_the_documentation_says(system: str, subject: Subject) -> None:
    tried = tried_on(system, subject)
    # Otherwise nothing is proven; a kernel may lack io_uring, vsock, queues or TIOCSTI.
    assert len(tried.control) >= 18
    assert set(tried.attempts) == {way.name for way in ways(subject, public=True)}
    promised = written().OPEN[system][subject != "job"]
    assert tried.reached <= promised
    assert promised - tried.reached <= FOR_ROOT
    assert (NAMESPACE in tried.layers) is (system in ("whole", "no Landlock"))
    assert (LANDLOCK in tried.layers) is (system in ("whole", "no user namespaces"))


def test_there_are_25_ways_out_and_more() -> None:
    assert len(ways("job", public=True)) >= 25
    assert len(ways("reader", public=True)) > len(ways("job", public=True))


def test_the_table_in_the_documentation_is_what_was_tried() -> None:
    docs = written()
    text = docs.PAGE.read_text(encoding="utf-8")
    assert docs.page(text) == text, "run `python docs/ways_out.py`"
