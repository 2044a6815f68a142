"""How likely a checkpoint finds a text: log-probabilities of its tokens after a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch
from transformers import DynamicCache

from bonito_local.backends.likelihood import Likelihood, Question
from bonito_local.backends.transformers.engine import Transformers
from bonito_local.errors import BackendError

_AHEAD = 8  # batches' worth of questions are pulled, and sorted by length


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as tokens, and its place among those pulled together."""

    place: int
    prompt: list[int]
    answers: list[list[int]]

    @property
    def longest(self) -> int:
        return max(map(len, self.answers), default=0)


@contextmanager
def _memory() -> Iterator[None]:
    """Say what to do where the GPU's memory runs out."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BackendError(
            "The GPU's memory ran out while scoring.",
            "Use --quantization nf4, or a smaller model.",
        ) from error


class Scorer:
    """Scores texts with an engine's model.

    Answers to a prompt share its KV cache, and prompts are computed in batches.
    """

    def __init__(self, engine: Transformers) -> None:
        self._engine = engine

    def close(self) -> None:
        """Nothing is held beside the engine."""

    def score(self, texts: Iterable[tuple[str, str]]) -> Iterator[Likelihood | None]:
        """Yield how likely each second text is after the first; None where they do not fit.

        Raises:
            BackendError: the GPU's memory ran out.
        """
        for prompt, text in texts:
            tokens, start = self._engine.texts.joined(prompt, text)
            if len(tokens) > self._engine.context_length or not start:
                yield None
            elif start == len(tokens):
                yield Likelihood(0.0, 0)
            else:
                yield self._likelihood(tokens, start)

    def answers(self, questions: Iterable[Question]) -> Iterator[tuple[float, ...] | None]:
        """Yield each question's answers' log-probabilities, in order; None if it does not fit.

        Raises:
            BackendError: the GPU's memory ran out.
        """
        pulled = iter(questions)
        while window := list(islice(pulled, _AHEAD * self._engine.rows)):
            found: list[tuple[float, ...] | None] = [None] * len(window)
            for batch in self._batches(window):
                with _memory():
                    scored = self._score(batch)
                for asked, logs in zip(batch, scored, strict=True):
                    found[asked.place] = logs
            yield from found

    def _batches(self, window: list[Question]) -> Iterator[list[_Asked]]:
        """Questions of like length together, within what the engine's memory holds."""
        texts = self._engine.texts
        asked = [
            _Asked(
                place,
                texts.encode(question.prompt),
                [texts.answer(text, question.ends) for text in question.answers],
            )
            for place, question in enumerate(window)
        ]
        fitting = [
            one
            for one in asked
            if one.prompt and len(one.prompt) + one.longest <= self._engine.context_length
        ]
        fitting.sort(key=lambda one: len(one.prompt), reverse=True)
        batch: list[_Asked] = []
        cells = 0
        for one in fitting:
            width = len(batch[0].prompt) if batch else len(one.prompt)
            need = max(1, len(one.answers)) * (width + one.longest)
            if batch and (len(batch) == self._engine.rows or cells + need > self._engine.cells):
                yield batch
                batch, cells = [], 0
            batch.append(one)
            cells += need
        if batch:
            yield batch

    @torch.inference_mode()
    def _likelihood(self, tokens: list[int], start: int) -> Likelihood:
        engine, wanted = self._engine, tokens[start:]
        # The last token predicts nothing that is asked.
        ids = torch.tensor([tokens[:-1]], device=engine.device)
        with _memory():
            found = engine.model(input_ids=ids, use_cache=False, logits_to_keep=len(wanted))
        logs = found.logits[0].float().log_softmax(-1)
        picked = logs.gather(-1, torch.tensor(wanted, device=engine.device)[:, None])
        return Likelihood(float(picked.double().sum()), len(wanted))

    @torch.inference_mode()
    def _score(self, batch: list[_Asked]) -> list[tuple[float, ...]]:
        device, model = self._engine.device, self._engine.model
        width = max(len(one.prompt) for one in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for at, one in enumerate(batch):
            ids[at, width - len(one.prompt) :] = torch.tensor(one.prompt)
            mask[at, width - len(one.prompt) :] = 1
        ids, mask = ids.to(device), mask.to(device)
        cache = DynamicCache()
        first = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp_min(0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        rows = [(at, tokens) for at, one in enumerate(batch) for tokens in one.answers]
        of = torch.tensor([at for at, _ in rows], device=device)
        longest = max((len(tokens) for _, tokens in rows), default=0)
        answers = torch.zeros((len(rows), max(longest, 1)), dtype=torch.long)
        there = torch.zeros_like(answers)
        for row, (_, tokens) in enumerate(rows):
            answers[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
            there[row, : len(tokens)] = 1
        answers, there = answers.to(device), there.to(device)
        logits = first[of][:, None]
        if longest > 1:
            cache.batch_select_indices(of)
            lengths = mask.sum(-1)[of][:, None]
            rest = model(
                input_ids=answers[:, :-1],
                attention_mask=torch.cat([mask[of], there[:, :-1]], -1),
                position_ids=lengths + torch.arange(longest - 1, device=device),
                past_key_values=cache,
                use_cache=True,
            ).logits
            logits = torch.cat([logits, rest], 1)
        logs = torch.log_softmax(logits.float(), -1).gather(-1, answers[..., None])[..., 0]
        totals = (logs * there).sum(-1).tolist()
        found: list[tuple[float, ...]] = []
        for one in batch:
            found.append(tuple(totals[: len(one.answers)]))
            del totals[: len(one.answers)]
        return found
