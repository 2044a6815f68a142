from pathlib import Path

import numpy as np
import pytest

from bonito_local.backends.transformers.texts import Texts
from bonito_local.errors import TrainingError
from bonito_local.training.tokens import Counts, Limits, open_tokens, tokenize

PAIRS = [
    ("a prompt", "an output"),
    ("a " * 60, "b"),
    ("a", "b " * 60),
    ("a", ""),
    ("", "all of it"),
    ("no</s>end", "none</s>"),
]


def test_rows_are_begun_and_ended_and_what_is_too_long_is_counted(
    base: Path, tmp_path: Path
) -> None:
    texts = Texts(base)
    tokens = tokenize(PAIRS, texts, Limits(40, 40), tmp_path / "t", "k")
    assert tokens.counts == Counts(rows=3, input_too_long=1, output_too_long=1, empty=1)
    assert str(tokens.counts) == (
        "3 rows; left out: 1 with an input over the limit, "
        "1 with an output over the limit, 1 without an output"
    )
    bos, eos = texts.bos, texts.eos
    prompt, output = texts.encode_all(["a prompt", "an output"])
    first, second, third = map(tokens.group, range(3))
    assert first.ids.tolist() == [*bos, *prompt, *output, eos]
    assert (first.prompt, first.outputs) == (len(bos) + len(prompt), (len(output) + 1,))
    assert first.trained == len(output) + 1
    assert (second.prompt, second.trained) == (len(bos), len(second.ids) - len(bos))
    # An end-of-text token only where a row ends: its name in a text is text.
    assert (third.ids == eos).sum() == 1
    assert tokens.lengths.sum() == len(tokens.ids)
    assert tokens.rows.tolist() == [1, 1, 1]


def test_without_bos_the_first_token_of_a_passage_is_not_predicted(
    base: Path, tmp_path: Path
) -> None:
    texts = Texts(base)
    texts.bos = []
    tokens = tokenize([("", "some text")], texts, Limits(40, 40), tmp_path / "t", "k")
    (length,) = tokens.lengths
    assert tokens.group(0).trained == length - 1
    assert (tokens.group(0).prompt, tokens.group(0).outputs) == (0, (length,))


def test_consecutive_rows_with_one_prompt_form_groups(base: Path, tmp_path: Path) -> None:
    texts = Texts(base)
    pairs = [("one", "a"), ("one", "b b"), ("two", "c"), ("one", "d"), ("", "e"), ("", "f")]
    tokens = tokenize(pairs, texts, Limits(40, 40), tmp_path / "t", "k", 1000)
    assert tokens.counts == Counts(rows=6)
    assert tokens.rows.tolist() == [2, 1, 1, 1, 1]  # an empty prompt is not shared
    prompt, one, two = texts.encode_all(["one", "a", "b b"])
    group = tokens.group(0)
    assert group.ids.tolist() == [*texts.bos, *prompt, *one, texts.eos, *two, texts.eos]
    assert (group.prompt, group.outputs) == (1 + len(prompt), (len(one) + 1, len(two) + 1))
    assert group.trained == len(one) + len(two) + 2
    apart = tokenize(pairs, texts, Limits(40, 40), tmp_path / "t", "apart")
    assert apart.rows.tolist() == [1] * 6
    assert apart.lengths.sum() - tokens.lengths.sum() == group.prompt


def test_rows_over_a_limit_leave_their_group(base: Path, tmp_path: Path) -> None:
    long = "b " * 60
    pairs = [
        *[("one", "a"), ("one", long), ("one", ""), ("one", "b")],
        *[("two", long), ("two", long), (long, "a"), (long, "b")],
    ]
    tokens = tokenize(pairs, Texts(base), Limits(40, 40), tmp_path / "t", "k", 1000)
    assert tokens.counts == Counts(rows=2, input_too_long=2, output_too_long=3, empty=1)
    assert tokens.rows.tolist() == [2]


def test_large_groups_are_split(base: Path, tmp_path: Path) -> None:
    texts, limits = Texts(base), Limits(40, 40)
    pairs = [("a prompt", "word")] * 20
    by_outputs = tokenize(pairs, texts, limits, tmp_path / "t", "outputs", 1000)
    assert by_outputs.rows.tolist() == [8, 8, 4]
    prompt, output = by_outputs.group(0).prompt, by_outputs.group(0).outputs[0]
    most = prompt + 3 * output
    assert tokenize(pairs, texts, limits, tmp_path / "t", "3", most).lengths.max() == most
    by_tokens = tokenize(pairs, texts, limits, tmp_path / "t", "2", most - 1)
    assert by_tokens.rows.tolist() == [2] * 10
    # A row that is longer by itself is kept, alone.
    assert tokenize(pairs, texts, limits, tmp_path / "t", "1", 1).rows.tolist() == [1] * 20


def test_they_are_made_once_for_the_user_alone(base: Path, tmp_path: Path) -> None:
    folder, limits = tmp_path / "t", Limits(40, 40)
    first = tokenize(PAIRS, Texts(base), limits, folder, "k")
    again = tokenize(iter(()), Texts(base), limits, folder, "k")
    assert np.array_equal(first.ids, again.ids)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert open_tokens(folder, "another") is None
    (folder / "groups.npz").write_bytes(b"broken")
    assert open_tokens(folder, "k") is None
    assert tokenize(PAIRS, Texts(base), limits, folder, "k").counts == first.counts


def test_nothing_left_is_an_error_that_says_why(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="No row is left to train on: 0 rows; left out: 2"):
        tokenize(PAIRS[1:3], Texts(base), Limits(1, 8), tmp_path / "t", "k")
    assert not (tmp_path / "t").exists()
