import torch
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.training.batches import Example, bucketed, collate

examples = st.lists(st.lists(st.integers(0, 99), min_size=2, max_size=40), max_size=60)


def test_collate_points_each_label_at_the_state_before_it() -> None:
    batch = collate([Example([5, 6, 7], [2]), Example([8, 9], [1])], 4, pad=1)
    assert batch.ids.tolist() == [[5, 6, 7, 1], [8, 9, 1, 1]]
    assert batch.positions.tolist() == [1, 4] + [0] * 510
    assert batch.labels.tolist() == [7, 9] + [-100] * 510


@given(examples)
def test_batches_have_few_shapes_and_lose_only_what_does_not_fill_one(
    lists: list[list[int]],
) -> None:
    given_examples = [Example(ids, range(1, len(ids))) for ids in lists]
    batches = list(bucketed(given_examples, (8, 16, 32), tokens=64, pad=0))
    assert {tuple(b.ids.shape) for b in batches} <= {(8, 8), (4, 16), (2, 32)}
    for low, high, size in ((0, 8, 8), (8, 16, 4), (16, 32, 2)):
        fit = sum(low < len(ids) <= high for ids in lists)
        assert sum(len(b.ids) for b in batches if b.ids.shape[1] == high) == fit // size * size


def test_every_label_is_the_token_after_its_position() -> None:
    lists = [[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8]]
    (batch,) = bucketed([Example(i, range(1, len(i))) for i in lists], (8,), tokens=16, pad=0)
    flat = batch.ids.flatten()
    real = batch.labels >= 0
    assert real.sum() == 10
    assert torch.equal(flat[batch.positions + 1][real], batch.labels[real])
