"""The transformers backend: a checkpoint folder, batches padded on the left, a KV cache.

The reference for the other engines, and for models that llama.cpp does not know. A
prompt of n samples is computed once; each sample draws with a generator of its own seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from transformers.utils import logging

from bonito_local.backends.adapter import Adapter, read_adapter
from bonito_local.backends.base import Completion, FinishReason, Plan, Request
from bonito_local.backends.batching import Row, batches, cut_at_stop
from bonito_local.backends.checkpoint import read_checkpoint
from bonito_local.backends.exclusive import Exclusive
from bonito_local.backends.transformers.batch import Batch, Live
from bonito_local.backends.transformers.loading import (
    affordable_cells,
    find_device,
    last_tokens,
    load_adapter,
    load_model,
)
from bonito_local.backends.transformers.texts import Texts
from bonito_local.bounds import user_path
from bonito_local.errors import BackendError

_ROWS = {"cpu": 32, "cuda": 128, "mps": 32}


def open_planned(folder: Path, plan: Plan) -> Transformers:
    """Open a checkpoint; reproducible is one row at a time.

    Raises:
        ModelError: it, or its adapter, is broken, of an unknown kind, or does not fit in memory.
        BackendError: 4-bit weights were asked for where bitsandbytes is missing.
    """
    options = plan.options
    return Transformers(
        folder,
        four_bit=options.quantization == "nf4",
        adapter=read_adapter(user_path(options.adapter)) if options.adapter else None,
        rows=1 if plan.reproducible else None,
    )


class Transformers:
    """Runs a checkpoint with transformers, in bf16 or 4 bits.

    Attributes:
        device: where the weights are.
        rows: the most rows computed together.
        cells: tokens that all of them together may hold.
        metadata: its name and chat template, by GGUF's keys.
    """

    name = "transformers"

    def __init__(
        self,
        folder: Path,
        *,
        four_bit: bool = False,
        dtype: torch.dtype = torch.bfloat16,
        adapter: Adapter | None = None,
        rows: int | None = None,
    ) -> None:
        """Load weights, adapter and tokenizer; `rows` is the most rows computed together.

        Raises:
            ModelError: the checkpoint or the adapter is broken, of an unknown kind, or too large.
        """
        checkpoint = read_checkpoint(folder)
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.device = find_device()
        self.model = load_model(checkpoint, four_bit, dtype, self.device)
        if adapter is not None:
            self.model = load_adapter(self.model, adapter)
        self.texts = Texts(folder)
        self._ends = last_tokens(self.model, self.texts.tokenizer)
        self._stops: dict[tuple[str, ...], list[int]] = {}
        self.context_length = checkpoint.context_length
        self.metadata = checkpoint.metadata
        self.rows = rows or _ROWS[self.device]
        self.cells = affordable_cells(checkpoint, dtype, self.device)
        self._exclusive = Exclusive()

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""
        return self.texts.count(text)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield every sample's completion as it finishes, batch after batch.

        `completion_tokens` counts the end-of-text token.

        Raises:
            BackendError: the engine failed, or is closed or generating already.
        """
        if self.model is None:
            raise BackendError("The engine is closed.", "Open the model again.")
        with self._exclusive:
            for batch in batches(
                requests, self.texts.encode, self.context_length, self.rows, self.cells
            ):
                if isinstance(batch, Completion):
                    yield batch
                else:
                    yield from self._run(batch)

    def close(self) -> None:
        """Free the model's memory."""
        self.model = None
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _run(self, rows: list[Row]) -> Iterator[Completion]:
        live = [Live(row, random.Random(row.sample.seed)) for row in rows]
        try:
            batch = Batch(self.model, self.device, live)
            while live:
                tokens = batch.draw()
                done = []
                for at, (one, token) in enumerate(zip(batch.live, tokens, strict=True)):
                    if one is not None and (completion := self._take(one, token)):
                        done.append(completion)
                        batch.live[at] = None
                live = [one for one in batch.live if one is not None]
                yield from done
                if live:
                    batch.step(tokens)
        except torch.OutOfMemoryError as error:
            raise BackendError(
                "The GPU's memory ran out while generating.",
                "Use --quantization nf4, fewer --max-tokens, or a smaller model.",
            ) from error

    def _take(self, one: Live, token: int) -> Completion | None:
        """Give a row its next token; its completion, if that ends it."""
        one.drawn.append(token)
        stops = one.row.request.sampling.stop
        if token in self._ends or token in self._stopping(stops):
            return self._finish(one, "stop", self._text(one, one.drawn[:-1]))
        if stops and (cut := cut_at_stop(self._text(one, one.drawn), stops)) is not None:
            return self._finish(one, "stop", cut)
        if len(one.drawn) == one.row.limit:
            return self._finish(one, "length", self._text(one, one.drawn))
        return None

    def _stopping(self, stops: tuple[str, ...]) -> list[int]:
        if stops not in self._stops:
            self._stops[stops] = self.texts.ends(stops)
        return self._stops[stops]

    def _text(self, one: Live, drawn: list[int]) -> str:
        return self.texts.decode_after(one.row.tokens[-1:], drawn)

    def _finish(self, one: Live, reason: FinishReason, text: str) -> Completion:
        row = one.row
        count = len(one.drawn)
        return Completion(row.request.id, row.sample.index, text, len(row.tokens), count, reason)
