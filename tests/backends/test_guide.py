"""Guided completions: every one has the shape asked for, by any vocabulary and any logits."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.backends.base import Shape
from bonito_local.backends.llamacpp.guide import Guide, Vocabulary, word_edges
from bonito_local.errors import BackendError

MARKER = "<|pipe|>"
PASSAGE = "The fee is 30 days' rent; see §4 of the lease: naïve tenants, beware."
MERGED = [
    b"\n<",
    b"<|",
    b"pipe",
    b"|>",
    b"|>\n",
    b">\n",
    b"\n\n",
    b" the",
    b"The fee",
    b"es",
    b"ye",
]
SEEDS, BIASES = st.integers(0, 10**6), st.sampled_from([0.0, 2.0, 5.0])
BYTES = [bytes([i]) for i in range(256)]


def complete(pieces: list[bytes | None], shape: Shape, limit: int, seed: int, bias: float) -> str:
    """Draw at random, with logits that like the marker's pieces by `bias`."""
    vocabulary, rng = Vocabulary(pieces), np.random.default_rng(seed)
    guide, text = Guide(vocabulary, shape, limit), b""
    liked = [t for t, p in enumerate(pieces) if p is None or p in b"\n<|pipe|>\n"]
    for _ in range(limit):
        logits = rng.standard_normal(len(pieces)).astype(np.float32)
        logits[liked] += bias
        guide.mask(logits)
        assert np.isfinite(logits).any()
        piece = pieces[int(logits.argmax())]
        if piece is None:
            return text.decode(errors="replace")
        text += piece
        guide.accept(piece)
    return text.decode(errors="replace") + "<cut>"


@st.composite
def vocabularies(draw: st.DrawFn) -> list[bytes | None]:
    pieces = [*BYTES, *draw(st.lists(st.sampled_from(MERGED), unique=True)), None]
    random.Random(draw(st.integers(0, 99))).shuffle(pieces)
    return pieces


@settings(deadline=None, max_examples=150)
@given(
    vocabularies(), st.integers(0, 10**6), st.sampled_from([0.0, 2.0, 5.0]), st.integers(60, 300)
)
def test_one_marker_and_a_choice(
    pieces: list[bytes | None], seed: int, bias: float, limit: int
) -> None:
    text = complete(pieces, Shape(MARKER, ("yes", "no", "yes and no")), limit, seed, bias)
    instruction, response = text.split(MARKER)
    assert instruction.strip()
    assert response.strip() in ("yes", "no", "yes and no")


@settings(deadline=None, max_examples=150)
@given(
    vocabularies(), st.integers(0, 10**6), st.sampled_from([0.0, 2.0, 5.0]), st.integers(60, 300)
)
def test_a_span_of_whole_words(
    pieces: list[bytes | None], seed: int, bias: float, limit: int
) -> None:
    text = complete(pieces, Shape(MARKER, span_of=PASSAGE), limit, seed, bias)
    instruction, response = text.split(MARKER)
    assert instruction.strip()
    response = response.strip().removesuffix("<cut>")
    assert response
    assert response in PASSAGE
    if not text.endswith("<cut>"):
        starts, ends = word_edges(PASSAGE)
        places = [i for i in range(len(PASSAGE)) if PASSAGE.startswith(response, i)]
        offsets = [len(PASSAGE[:i].encode()) for i in places]
        size = len(response.encode())
        assert any(o in starts and o + size in ends for o in offsets)


@settings(deadline=None, max_examples=150)
@given(
    vocabularies(), st.integers(0, 10**6), st.sampled_from([0.0, 2.0, 5.0]), st.integers(60, 300)
)
def test_any_response_has_text_and_no_second_marker(
    pieces: list[bytes | None], seed: int, bias: float, limit: int
) -> None:
    text = complete(pieces, Shape(MARKER), limit, seed, bias)
    assert text.count(MARKER) == 1
    assert all(part.strip() for part in text.split(MARKER))


def test_what_the_shape_allows_is_left_alone() -> None:
    pieces = [*BYTES, None]
    guide = Guide(Vocabulary(pieces), Shape(MARKER, ("yes", "no")), 200)
    logits = np.arange(257, dtype=np.float32)
    guide.mask(logits)
    banned = {256}  # the end; "<" begins no marker yet
    assert {i for i in range(257) if logits[i] == -np.inf} == banned
    for char in f"Is it?\n{MARKER}\n":
        guide.accept(char.encode())
    logits = np.arange(257, dtype=np.float32)
    guide.mask(logits)
    assert {i: logits[i] for i in range(257) if logits[i] > -np.inf} == {110: 110.0, 121: 121.0}


def test_a_vocabulary_that_cannot_write_the_marker() -> None:
    guide = Guide(Vocabulary([b"a", b"b", None]), Shape(MARKER), 4)
    with pytest.raises(BackendError, match="cannot write"):
        guide.mask(np.zeros(3, np.float32))


def test_word_edges_count_bytes() -> None:
    starts, ends = word_edges("é ab-c 12%")
    assert starts == [0, 3, 5, 6, 8, 10]
    assert ends == {2, 5, 6, 7, 10, 11}
