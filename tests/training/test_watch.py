import json
import math
import re
from pathlib import Path

import pytest

from bonito_local.errors import TrainingError
from bonito_local.training.watch import Log, Watch, read_log


def run_away(watch: Watch) -> None:
    for step in range(210, 400):
        watch.add(step, 9.0, 5)


def test_a_loss_that_runs_away_or_is_no_number_ends_the_run() -> None:
    watch = Watch()
    for step in range(1, 200):
        watch.add(step, 2.0 + (step % 7) / 10, 5)
    assert watch.tokens == 5 * 199
    assert watch.loss == pytest.approx(2.3, abs=0.05)
    for step in range(200, 210):
        watch.add(step, 9.0, 5)
    with pytest.raises(TrainingError, match=r"The loss diverged: 2\.\d\d at its best, 4\.\d\d at"):
        run_away(watch)
    with pytest.raises(TrainingError, match="The loss at step 2 is nan"):
        Watch().add(2, math.nan, 1)


def test_it_goes_on_from_its_state_as_if_nothing_had_been() -> None:
    one, losses = Watch(), [3.0 - step / 50 for step in range(60)]
    for step, loss in enumerate(losses[:33]):
        one.add(step, loss, 2)
    other = Watch(json.loads(json.dumps(one.state)))
    for step, loss in enumerate(losses[33:]):
        one.add(step, loss, 2)
        other.add(step, loss, 2)
    assert one.state == other.state
    assert one.mean() == other.mean() == pytest.approx(sum(losses) / 60)


def test_the_log_is_cut_back_and_drawn(tmp_path: Path) -> None:
    log = Log(tmp_path, 0)
    for step in (10, 20, 30):
        log.write({"step": step, "loss": 5 - step / 10})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')  # killed here
    Log(tmp_path, 20).plot()
    assert read_log(tmp_path) == [{"step": 10, "loss": 4.0}, {"step": 20, "loss": 3.0}]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    svg = (tmp_path / "loss.svg").read_text()
    (points,) = re.findall(r'<polyline class="line" points="([^"]+)"', svg)
    (x, y), (x2, y2) = (map(float, point.split(",")) for point in points.split())
    assert x < x2
    assert y < y2  # down, on a screen
    assert ">3.000<" in svg
    assert read_log(tmp_path / "none") == []
