from itertools import chain, count, islice

from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.training.order import Order, padded, passes, share

lengths = st.lists(st.integers(1, 5000), min_size=1, max_size=300)
groups = st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 8)), min_size=1, max_size=300)


@given(groups, st.integers(1, 20), st.integers(0, 9))
def test_an_epoch_takes_every_group_once(
    some: list[tuple[int, int]], batch: int, seed: int
) -> None:
    sizes, rows = zip(*some, strict=True)
    order = Order(sizes, batch, seed, rows)
    step = 0
    for epoch in range(2):
        steps = [order.groups(step + at) for at in range(len(order.batches(epoch)))]
        assert sorted(group for groups in steps for group in groups) == list(range(len(some)))
        held = [[rows[group] for group in groups] for groups in steps]
        assert sum(sum(each) < batch for each in held) <= 1
        assert all(sum(each[:-1]) < batch for each in held)
        step += len(steps)


@given(lengths, st.integers(1, 20))
def test_groups_of_one_row_make_batches_of_equal_size(some: list[int], batch: int) -> None:
    sizes = sorted((len(part) for part in Order(some, batch, 3).batches(0)), reverse=True)
    full, rest = divmod(len(some), batch)
    assert sizes == [batch] * full + [rest] * (rest > 0)


@settings(deadline=None)  # it shuffles the epochs before a step
@given(groups | groups.map(lambda some: [(size, 3) for size, _ in some]), st.integers(0, 200))
def test_a_step_is_known_by_its_number_alone(some: list[tuple[int, int]], step: int) -> None:
    sizes, rows = zip(*some, strict=True)
    one = Order(sizes, 4, 7, rows)
    later = one.groups(step + 5)
    steps = chain.from_iterable(one.batches(epoch) for epoch in count())
    assert one.groups(step) == next(islice(steps, step, None)).tolist()
    for earlier in range(3):
        one.groups(earlier)
    assert one.groups(step) == Order(sizes, 4, 7, rows).groups(step)
    assert one.groups(step + 5) == later


def test_batches_are_of_like_length_and_epochs_differ() -> None:
    order = Order(list(range(1, 801)), 16, 0)
    spans = [max(rows) - min(rows) for rows in map(order.groups, range(50))]
    assert max(spans) == 15
    assert [order.groups(0), order.groups(1)] != [order.groups(50), order.groups(51)]


@given(lengths, st.integers(1, 8), st.integers(8, 4096))
def test_groups_are_shared_and_cut_without_loss(some: list[int], count: int, most: int) -> None:
    groups = list(range(len(some)))
    shares = [share(groups, some, count, which) for which in range(count)]
    assert sorted(group for one in shares for group in one) == groups
    loads = [sum(padded(some[group]) for group in one) for one in shares]
    assert max(loads) - min(loads) <= max(map(padded, some))
    for one in shares:
        cut = passes(one, some, most)
        assert sorted(group for part in cut for group in part) == sorted(one)
        assert all(len(part) == 1 or sum(padded(some[at]) for at in part) <= most for part in cut)
