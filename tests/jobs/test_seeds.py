import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from bonito_local.jobs.seeds import passage_hash, sample_seed

HASH = passage_hash("A clause.")


def test_values_are_pinned() -> None:
    assert HASH == "c057a6524562a1f23778fe811998e78a1e1b9e2d250f2a773c25b8a2bc283e8f"
    assert passage_hash("  A clause.\n") == HASH
    assert sample_seed(7, HASH, "exqa", 3) == 682094561


def test_a_fresh_interpreter_derives_the_same_seed() -> None:
    code = f"from bonito_local.jobs.seeds import *; print(sample_seed(7, {HASH!r}, 'exqa', 3))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(out.stdout) == sample_seed(7, HASH, "exqa", 3)


def test_every_part_of_the_key_counts() -> None:
    keys = [(7, HASH, "exqa", 3), (8, HASH, "exqa", 3), (7, HASH[::-1], "exqa", 3)]
    keys += [(7, HASH, "qa", 3), (7, HASH, "exqa", 4)]
    assert len({sample_seed(*key) for key in keys}) == len(keys)


@given(st.integers(), st.text(), st.text(), st.integers(min_value=0))
def test_a_seed_fits_every_engine(job: int, text: str, task: str, index: int) -> None:
    assert 0 <= sample_seed(job, passage_hash(text), task, index) < 2**31
