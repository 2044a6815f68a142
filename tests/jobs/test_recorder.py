import threading
import time
from collections import Counter
from collections.abc import Iterable

import pytest
from scripted import passages

from bonito_local.errors import JobError
from bonito_local.jobs import recorder as module
from bonito_local.jobs.recorder import Recorder
from bonito_local.jobs.store import Result, Store


def test_an_engine_that_outruns_the_disk_waits_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results that are not written yet stay few, however slow the disk."""
    monkeypatch.setattr(module, "_MOST_AHEAD", 20)
    monkeypatch.setattr(module, "_BATCH_ROWS", 10)
    with store.transaction():
        store.add_passage(passages(1)[0], ["qa"], 200)
    free = threading.Event()
    record = store.record

    def slow(results: Iterable[Result]) -> Counter[str]:
        free.wait(20)
        return record(results)

    monkeypatch.setattr(store, "record", slow)
    recorder, put = Recorder(store), 0

    def hand_over() -> None:
        nonlocal put
        for pending in list(store.pending()):
            recorder.put(Result(pending.id, "failed", "no"))
            put += 1

    engine = threading.Thread(target=hand_over)
    engine.start()
    deadline = time.monotonic() + 10
    while put < 30 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert put == 30  # Ten are being written, twenty wait.
    free.set()
    engine.join()
    recorder.close()
    assert recorder.ends == {"failed": 200}


def test_one_that_waits_is_told_of_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_AHEAD", 1)

    def full(_: object) -> None:
        raise JobError("The disk is full.")

    monkeypatch.setattr(store, "record", full)
    recorder = Recorder(store)

    def hand_over() -> None:
        for key in range(99):
            recorder.put(Result(key, "failed"))

    with pytest.raises(JobError, match="The disk is full"):
        hand_over()
