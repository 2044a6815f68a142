from hypothesis import given
from hypothesis import strategies as st

from bonito_local.training.order import Order, padded, passes, share

lengths = st.lists(st.integers(1, 5000), min_size=1, max_size=300)


@given(lengths, st.integers(1, 20), st.integers(0, 9))
def test_an_epoch_takes_every_row_once(some: list[int], batch: int, seed: int) -> None:
    order = Order(some, batch, seed)
    for epoch in range(2):
        steps = [order.rows(epoch * order.steps + at) for at in range(order.steps)]
        assert sorted(row for rows in steps for row in rows) == list(range(len(some)))
        assert sum(len(rows) < batch for rows in steps) <= 1


@given(lengths, st.integers(0, 1000))
def test_a_step_is_known_by_its_number_alone(some: list[int], step: int) -> None:
    one = Order(some, 4, 7)
    for earlier in range(3):
        one.rows(earlier)
    assert one.rows(step) == Order(some, 4, 7).rows(step)


def test_batches_are_of_like_length_and_epochs_differ() -> None:
    order = Order(list(range(1, 801)), 16, 0)
    spans = [max(rows) - min(rows) for rows in map(order.rows, range(order.steps))]
    assert max(spans) == 15
    assert [order.rows(0), order.rows(1)] != [order.rows(50), order.rows(51)]


@given(lengths, st.integers(1, 8), st.integers(8, 4096))
def test_rows_are_shared_and_cut_without_loss(some: list[int], count: int, most: int) -> None:
    rows = list(range(len(some)))
    shares = [share(rows, some, count, which) for which in range(count)]
    assert sorted(row for one in shares for row in one) == rows
    loads = [sum(padded(some[row]) for row in one) for one in shares]
    assert max(loads) - min(loads) <= max(map(padded, some))
    for one in shares:
        cut = passes(one, some, most)
        assert sorted(row for some_rows in cut for row in some_rows) == sorted(one)
        assert all(len(part) == 1 or sum(padded(some[row]) for row in part) <= most for part in cut)
