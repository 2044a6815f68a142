"""Completions that are held to lines, whatever the logits say."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bonito_local.backends.base import Line, Lines
from bonito_local.backends.llamacpp.guide import Vocabulary
from bonito_local.backends.llamacpp.lines import LinesGuide

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:?|\n"
WORDS = (" rent", " due", " the", " first", " day", "Answer", "?\n", "\n\n", "yes", " no", " of")
PIECES = [*(char.encode() for char in LETTERS), *(word.encode() for word in WORDS), None]
VOCABULARY = Vocabulary(PIECES)
SENTENCE = "The rent, of 900 pounds, is due on the first day."


def draw(shape: Lines, seed: int, most: int = 400) -> str:
    """Draw from random logits until the guide or a token ends the text."""
    guide = LinesGuide(VOCABULARY, shape)
    chance = np.random.default_rng(seed)
    text = b""
    for _ in range(most):
        logits = chance.normal(size=len(PIECES)).astype(np.float32)
        guide.mask(logits)
        assert np.isfinite(logits).any()
        piece = PIECES[int(logits.argmax())]
        if piece is None:
            break
        text += piece
        guide.accept(piece)
        if guide.ended:
            break
    else:
        pytest.skip("random logits did not end a line")
    return text.decode()


@pytest.mark.parametrize("seed", range(30))
def test_an_answer_is_a_span_of_its_sentence(seed: int) -> None:
    shape = Lines((Line("Question"), Line("Answer", span_of=SENTENCE)))
    question, answer = draw(shape, seed).rstrip("\n").split("\nAnswer:", 1)
    assert question.strip()
    assert answer.startswith(" ")
    assert answer[1:] in SENTENCE
    at = SENTENCE.find(answer[1:])
    edges = SENTENCE[max(0, at - 1) : at], SENTENCE[at + len(answer) - 1 : at + len(answer)]
    assert not any(edge.isalnum() for edge in edges) or len(answer) > 1


@pytest.mark.parametrize("seed", range(20))
def test_a_choice_is_one_of_the_choices(seed: int) -> None:
    shape = Lines((Line("Answer", choices=("yes", "no", "not stated")),))
    assert draw(shape, seed).rstrip("\n") in (" yes", " no", " not stated")


def test_a_line_is_not_empty_and_the_last_one_ends_the_text() -> None:
    guide = LinesGuide(VOCABULARY, Lines((Line("Question"), Line("Answer"))))
    end, newline = len(PIECES) - 1, PIECES.index(b"\n")

    def allowed() -> set[int]:
        logits = np.zeros(len(PIECES), np.float32)
        guide.mask(logits)
        return {int(at) for at in np.flatnonzero(np.isfinite(logits))}

    assert not {end, newline, PIECES.index(b"?\n")} & allowed()
    guide.accept(b" due")
    assert newline in allowed()
    assert end not in allowed()  # a line is missing
    guide.accept(b"?\n")
    assert {PIECES[at] for at in allowed()} == {b"A", b"Answer"}
    guide.accept(b"Answer")
    assert {PIECES[at] for at in allowed()} == {b":"}
    guide.accept(b":")
    assert not {end, newline} & allowed()
    guide.accept(b" rent")
    assert {end, newline} <= allowed()
    assert not guide.ended
    guide.accept(b"\n")
    assert guide.ended


def test_random_texts_are_spans() -> None:
    chance = random.Random(5)
    for at in range(20):
        words = [chance.choice(LETTERS.strip()) * chance.randint(1, 3) for _ in range(6)]
        text = " ".join(words)
        assert draw(Lines((Line("Answer", span_of=text),)), at).strip() in text


def test_a_line_ends_where_the_model_would_end_the_text() -> None:
    guide = LinesGuide(VOCABULARY, Lines((Line("Question"), Line("Answer"))))
    guide.accept(b" due")
    logits = np.zeros(len(PIECES), np.float32)
    logits[-1] = 5  # the end of the text
    guide.mask(logits)
    assert PIECES[int(logits.argmax())] == b"\n"
    assert logits.max() == 5
