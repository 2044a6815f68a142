import time
from dataclasses import replace

from bonito_local.jobs.progress import Progress
from bonito_local.jobs.store import Store
from bonito_local.jobs.watch import Watch


def until(what, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert what()


def test_progress_is_written_and_a_wish_is_heard_once(store: Store) -> None:
    called: list[bool] = []
    with Watch(store, lambda: called.append(True)) as watch:
        assert not watch.stop()
        watch.notify(Progress("generating", planned=9, done=1))
        until(lambda: store.load("progress"))
        watch.notify(replace(Progress("generating", planned=9), done=2))
        until(lambda: store.load("progress")["done"] == 2)
        store.save("wish", "pause")
        until(watch.stop)
        store.save("wish", "cancel")
        time.sleep(0.7)
    assert (watch.wish, called) == ("pause", [True])


def test_a_store_that_is_locked_for_a_while_does_no_harm(store: Store) -> None:
    with Watch(store, lambda: None) as watch:
        with store.transaction():
            watch.notify(Progress("reading"))
            time.sleep(0.8)
        until(lambda: store.load("progress"))


def test_a_new_run_hears_no_old_wish(store: Store) -> None:
    store.save("wish", "cancel")
    run = store.begin_run("fake", detached=False)
    assert store.wish() is None
    last = store.last_run()
    assert last is not None
    assert (last.id, last.state, last.ended) == (run, "running", None)
    store.end_run(run, "failed", "It died.", "Restart.")
    last = store.last_run()
    assert last is not None
    assert (last.state, last.error, last.remedy) == ("failed", "It died.", "Restart.")
    assert last.ended is not None
