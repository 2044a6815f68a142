"""A child that is ended where it takes too long or too much, and replaced."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bonito_local.bounded import BoundedChild, RefusedError

MODULE = """
import os
from bonito_local.airgap.serving import serve

def answer(request):
    if request["do"] == "loop":
        while True: pass
    if request["do"] == "recurse":
        return answer(request)
    if request["do"] == "abort":
        os.abort()
    if request["do"] == "fill":
        return len([bytes(1 << 20) for _ in range(1 << 14)])
    if request["do"] == "write":
        open(request["path"], "w")
    return request["do"].upper()

if __name__ == "__main__":
    serve(answer, 1 << 29)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoundedChild]:
    (tmp_path / "bounded_example.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    made = BoundedChild("bounded_example", 2.0)
    yield made
    made.close()


def test_requests_are_answered_by_one_process(child: BoundedChild) -> None:
    assert child.ask({"do": "text"}) == "TEXT"
    first = child._process
    assert child.ask({"do": "\ud800"}) == "\ud800"
    assert child._process is first


@pytest.mark.timeout(120)
def test_what_goes_beyond_the_bounds_is_refused_and_the_next_is_answered(
    child: BoundedChild,
) -> None:
    child.ask({"do": "a"})
    begun = time.monotonic()
    with pytest.raises(RefusedError, match="more than 2 s"):
        child.ask({"do": "loop"})
    assert time.monotonic() - begun < 20
    with pytest.raises(RefusedError, match="nested too deeply"):
        child.ask({"do": "recurse"})
    with pytest.raises(RefusedError, match="SIGABRT"):
        child.ask({"do": "abort"})
    if sys.platform == "linux":
        with pytest.raises(RefusedError, match="memory"):
            child.ask({"do": "fill"})
    assert child.ask({"do": "b"}) == "B"


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock")
def test_it_writes_no_file(child: BoundedChild, tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        child.ask({"do": "write", "path": str(tmp_path / "left")})
    assert not (tmp_path / "left").exists()
