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


@pytest.mark.parametrize("seconds", [0.0, 0.8])
def test_a_batch_is_what_half_a_second_writes(
    store: Store, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """The first is small, so that its rows are kept soon; only that one takes so long here."""
    written: list[int] = []

    def record(results: list[Result]) -> Counter[str]:
        if not written:
            time.sleep(seconds)
        written.append(len(results))
        return Counter(failed=len(results))

    monkeypatch.setattr(store, "record", record)
    recorder = Recorder(store)
    for key in range(90):
        recorder.put(Result(key, "failed"))
    recorder.close()
    first, second, third = written[:3]
    assert first == 10
    assert second == 20 if not seconds else 0 < second <= 6
    assert third == 2 * second
    assert recorder.ends == {"failed": 90}
