from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bonito_local.training.ctga.counts import OVER_CAP, REPEATED, UNREADABLE
from bonito_local.training.ctga.drawing import Drawn, draw, survey

Examples = list[dict[str, Any] | None]
examples = st.lists(st.none() | st.builds(lambda n: {"n": n}, st.integers(0, 30)), max_size=60)


def drawn(some: Examples, cap: int, seed: int) -> list[Drawn | str]:
    return list(draw(some, survey(some, cap, seed, "d"), seed, "d"))


@given(examples, st.integers(1, 40), st.integers(0, 3), st.randoms())
def test_what_is_drawn(some: Examples, cap: int, seed: int, random: Any) -> None:
    found = drawn(some, cap, seed)
    chosen = {one for one in found if isinstance(one, Drawn)}
    reasons = Counter(one for one in found if isinstance(one, str))
    distinct = {one["n"] for one in some if one}
    # Every example is accounted for, and exactly the cap is drawn where there are as many.
    assert len(found) == len(some)
    assert len(chosen) == min(cap, len(distinct))
    assert reasons[UNREADABLE] == some.count(None)
    assert len(chosen) + reasons[OVER_CAP] + reasons[REPEATED] + reasons[UNREADABLE] == len(some)
    # In another order the same are drawn.
    shuffled = list(some)
    random.shuffle(shuffled)
    again = drawn(shuffled, cap, seed)
    assert {one for one in again if isinstance(one, Drawn)} == chosen
    assert Counter(one for one in again if isinstance(one, str)) == reasons


def test_seeds_and_datasets_draw_differently() -> None:
    some: Examples = [{"n": n} for n in range(200)]

    def texts(seed: int, dataset: str) -> set[str]:
        found = draw(some, survey(some, 20, seed, dataset), seed, dataset)
        return {one.example for one in found if isinstance(one, Drawn)}

    assert texts(0, "a") == texts(0, "a")
    assert texts(0, "a") != texts(1, "a")
    assert texts(0, "a") != texts(0, "b")


def test_every_example_may_be_drawn() -> None:
    some: Examples = [{"n": n} for n in range(20)]
    times = Counter(
        one.example for seed in range(400) for one in drawn(some, 5, seed) if isinstance(one, Drawn)
    )
    # 400 seeds, 5 of 20 each: 100 times on average, with a deviation of 8.7.
    assert len(times) == 20
    assert all(60 < n < 140 for n in times.values())


def test_columns_are_those_of_all_examples() -> None:
    found = survey([{"a": 1}, None, {"b": 2, "a": 3}], 9, 0, "d")
    assert (found.columns, found.examples, found.unreadable) == (frozenset("ab"), 2, 1)
