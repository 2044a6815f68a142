"""The plainest way to draw greedily with llama.cpp: one sequence, one token at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from asking import GREEDY, ask, by_sample

from bonito_local.backends.base import Backend
from bonito_local.backends.llamacpp.bindings import Batch, lib
from bonito_local.backends.llamacpp.context import Context
from bonito_local.backends.llamacpp.model import Model
from bonito_local.backends.llamacpp.settings import Settings

# Kernels for one row and for many round differently, at 16 bits: largest difference seen
# between any two ways to compute the same logits of the tiny models, 0.02 (their deviation is 3).
NEAR_TIE = 0.1


@dataclass(frozen=True)
class Drawn:
    """Pieces in order, and how far each winner was ahead of the second."""

    pieces: list[bytes]
    gaps: list[float]
    stopped: bool

    def text(self, end: int | None = None) -> str:
        return b"".join(self.pieces[:end]).decode("utf-8", errors="replace")

    def agrees(self, text: str) -> bool:
        """Whether `text` is the same, or departs from it only at or after a near-tie."""
        if text == self.text():
            return True
        tie = next((i for i, gap in enumerate(self.gaps) if gap < NEAR_TIE), None)
        # A character may be cut at the tie, and look different for what follows.
        return tie is not None and text.startswith(self.text(tie).rstrip("\ufffd"))


class Reference:
    def __init__(self, path: Path) -> None:
        self.model = Model(path, repack=False)
        length = self.model.context_length
        self.context = Context(self.model, Settings(n_seq=1), length)
        self.context.fit(length)
        self.context.use_threads(1)
        self.batch = Batch(1)

    def logits(self, tokens: list[int]) -> npt.NDArray[np.float32]:
        self.context.clear()
        for position, token in enumerate(tokens):
            self._feed(token, position)
        return self._row()

    def greedy(self, prompt: str, limit: int) -> Drawn:
        row = self.logits(self.model.prompt(prompt).tolist())
        position = len(self.model.prompt(prompt))
        pieces: list[bytes] = []
        gaps: list[float] = []
        while len(pieces) < limit:
            second, first = np.sort(row)[-2:]
            gaps.append(float(first - second))
            token = int(row.argmax())
            piece = self.model.piece(token)
            if piece is None:
                return Drawn(pieces, gaps, stopped=True)
            pieces.append(piece)
            self._feed(token, position)
            position += 1
            row = self._row()
        return Drawn(pieces, gaps, stopped=False)

    def close(self) -> None:
        self.context.close()
        self.model.close()

    def _feed(self, token: int, position: int) -> None:
        self.batch.tokens[0], self.batch.positions[0], self.batch.outputs[0] = token, position, 1
        assert self.batch.decode(self.context.handle, 1) == 0

    def _row(self) -> npt.NDArray[np.float32]:
        size = lib.llama_vocab_n_tokens(self.model.vocab)
        return np.ctypeslib.as_array(
            lib.llama_get_logits_ith(self.context.handle, 0), (size,)
        ).copy()


def check_greedy(
    engine: Backend, reference: Reference, prompts: dict[str, str], least: int
) -> list[str]:
    """An engine's greedy completions agree with the plainest ones, `least` of them to the end."""
    done = by_sample(engine.generate(ask(name, text) for name, text in prompts.items()))
    assert len(done) == len(prompts)
    same = 0
    for (name, _), completion in done.items():
        drawn = reference.greedy(prompts[name], GREEDY.max_tokens)
        assert drawn.agrees(completion.text), (name, completion.text, drawn.text())
        assert completion.prompt_tokens == len(reference.model.prompt(prompts[name]))
        same += completion.text == drawn.text()
    assert same >= least  # near-ties are the exception
    return [completion.text for completion in done.values()]
