"""Log-probabilities of texts, against the plainest way to compute them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from one_by_one import Reference
from tiny_model import EOS_ID

from bonito_local.backends.base import Framed
from bonito_local.backends.likelihood import Likelihood
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.scoring import Scorer
from bonito_local.backends.llamacpp.settings import Settings

PROMPT = "Either party may end the agreement by"
TEXT = " giving thirty days' notice, in writing."


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path) -> Iterator[LlamaCpp]:
    opened = LlamaCpp(tiny_gguf, Settings(n_seq=1))
    yield opened
    opened.close()


def plain(path: Path, prompt: str, text: str) -> float:
    """One token at a time, by definition."""
    reference = Reference(path)
    tokens = reference.model.prompt(prompt + text).tolist()
    start = len(reference.model.prompt(prompt))
    assert tokens[:start] == reference.model.prompt(prompt).tolist()
    total = 0.0
    for at in range(start, len(tokens)):
        row = reference.logits(tokens[:at]).astype(np.float64)
        total += row[tokens[at]] - np.log(np.exp(row - row.max()).sum()) - row.max()
    reference.close()
    return total


def test_scores_are_log_probabilities(engine: LlamaCpp, tiny_gguf: Path) -> None:
    asked = [(PROMPT, TEXT), (PROMPT, " the end"), ("", TEXT), (PROMPT + TEXT, " So it is.")]
    with closing(Scorer(engine)) as scorer:
        for (prompt, text), found in zip(asked, scorer.score(asked), strict=True):
            assert found is not None
            assert found.total == pytest.approx(plain(tiny_gguf, prompt, text), abs=0.05)
            assert found.mean == pytest.approx(found.total / found.tokens)
            assert found.total < 0


def test_what_was_scored_before_changes_nothing(engine: LlamaCpp) -> None:
    long = "word " * 90
    asked = [(long, TEXT), (long, "other"), (PROMPT, TEXT), (long + "x", TEXT), (long, TEXT)]
    with closing(Scorer(engine)) as scorer:
        together = list(scorer.score(asked))
    for one, found in zip(asked, together, strict=True):
        with closing(Scorer(engine)) as scorer:
            (alone,) = scorer.score([one])
        assert alone is not None
        assert found is not None
        assert found.tokens == alone.tokens
        assert found.total == pytest.approx(alone.total, abs=0.1)


def test_what_does_not_fit_or_is_empty(engine: LlamaCpp) -> None:
    with closing(Scorer(engine)) as scorer:
        longer, empty, fine = scorer.score([("word " * 600, TEXT), (PROMPT, ""), (PROMPT, TEXT)])
    assert longer is None
    assert empty == Likelihood(0.0, 0)
    assert empty.mean == 0
    assert fine is not None


def test_framed_prompts(engine: LlamaCpp) -> None:
    framed = Framed("</s>", PROMPT, "</s>")
    assert engine._model.prompt(framed).tolist().count(EOS_ID) == 2
    with closing(Scorer(engine)) as scorer:
        (found,) = scorer.score([(framed, TEXT)])
    assert found is not None
    assert found.tokens == engine.count_tokens(TEXT)
