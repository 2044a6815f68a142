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
    whole = [*bos, *texts.encode_all(["a prompt"])[0], *texts.encode_all(["an output"])[0], eos]
    assert tokens.row(0).tolist() == whole
    assert tokens.outputs[0] == len(texts.encode_all(["an output"])[0]) + 1
    assert tokens.outputs[1] == len(tokens.row(1)) - 1
    # An end-of-text token only where a row ends: its name in a text is text.
    assert (tokens.row(2) == eos).sum() == 1
    assert tokens.lengths.sum() == len(tokens.ids)


def test_without_bos_the_first_token_of_a_passage_is_not_predicted(
    base: Path, tmp_path: Path
) -> None:
    texts = Texts(base)
    texts.bos = []
    tokens = tokenize([("", "some text")], texts, Limits(40, 40), tmp_path / "t", "k")
    assert tokens.outputs[0] == len(tokens.row(0)) - 1


def test_they_are_made_once_for_the_user_alone(base: Path, tmp_path: Path) -> None:
    folder, limits = tmp_path / "t", Limits(40, 40)
    first = tokenize(PAIRS, Texts(base), limits, folder, "k")
    again = tokenize(iter(()), Texts(base), limits, folder, "k")
    assert np.array_equal(first.ids, again.ids)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert open_tokens(folder, "another") is None
    (folder / "rows.npz").write_bytes(b"broken")
    assert open_tokens(folder, "k") is None
    assert tokenize(PAIRS, Texts(base), limits, folder, "k").counts == first.counts


def test_nothing_left_is_an_error_that_says_why(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="No row is left to train on: 0 rows; left out: 2"):
        tokenize(PAIRS[1:3], Texts(base), Limits(1, 8), tmp_path / "t", "k")
    assert not (tmp_path / "t").exists()
