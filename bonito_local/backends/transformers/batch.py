"""Rows computed together: padded on the left, one KV cache, drawn each by its own seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from bonito_local.backends.batching import Row

_SHRINK = 0.75  # of a batch still drawn: below it the rest is moved together
_COLDEST = 1e-6


@dataclass(slots=True)
class Live:
    """A row being drawn: its own generator, and its tokens so far."""

    row: Row
    rng: random.Random
    drawn: list[int] = field(default_factory=list)

    @property
    def temperature(self) -> float:
        """As asked for."""
        return self.row.request.sampling.temperature

    @property
    def top_p(self) -> float:
        """As asked for."""
        return self.row.request.sampling.top_p


class Batch:
    """Rows computed together: their KV cache, and the logits of the next token of each.

    `live` holds None for a row that has ended but is still computed.
    """

    def __init__(self, model: Any, device: str, live: list[Live]) -> None:
        self.model, self.device = model, device
        self.live: list[Live | None] = list(live)
        prompts: list[list[int]] = []
        of = []
        for one in live:
            # Samples of a prompt are neighbours: it is computed once, and its cache copied.
            if not prompts or prompts[-1] is not one.row.tokens:
                prompts.append(one.row.tokens)
            of.append(len(prompts) - 1)
        width = max(map(len, prompts))
        ids = torch.zeros((len(prompts), width), dtype=torch.long)
        self.mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for at, tokens in enumerate(prompts):
            ids[at, width - len(tokens) :] = torch.tensor(tokens)
            self.mask[at, width - len(tokens) :] = 1
        self.mask = self.mask.to(device)
        self.cache = DynamicCache()
        self.logits = self._forward(ids.to(device), (self.mask.cumsum(-1) - 1).clamp_min(0))
        self._keep(of)

    def draw(self) -> list[int]:
        """Draw each row's next token."""
        rows = [one for one in self.live if one is not None]
        if all(one.temperature <= 0 for one in rows):
            greedy: list[int] = self.logits.argmax(-1).tolist()
            return greedy
        values = [
            (one.temperature, one.top_p, one.rng.random()) if one else (0.0, 1.0, 0.0)
            for one in self.live
        ]
        temperature, top_p, drawn = torch.tensor(values, device=self.device).T
        return draw(self.logits, temperature, top_p, drawn).tolist()

    def step(self, tokens: list[int]) -> None:
        """Feed each row the token it drew."""
        keep = [at for at, one in enumerate(self.live) if one is not None]
        if len(keep) <= _SHRINK * len(self.live):
            tokens = [tokens[at] for at in keep]
            self._keep(keep)
        ids = torch.tensor(tokens, device=self.device)[:, None]
        self.mask = torch.cat([self.mask, torch.ones_like(ids)], -1)
        self.logits = self._forward(ids, self.mask.sum(-1, keepdim=True) - 1)

    def _keep(self, rows: list[int]) -> None:
        if rows == list(range(len(self.mask))):
            return
        at = torch.tensor(rows, device=self.device)
        self.cache.batch_select_indices(at)
        self.mask, self.logits = self.mask[at], self.logits[at]
        if len(self.live) > len(rows):
            self.live = [self.live[row] for row in rows]

    @torch.inference_mode()
    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        found = self.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = found.logits[:, -1].float()
        return logits


def draw(
    logits: torch.Tensor, temperature: torch.Tensor, top_p: torch.Tensor, drawn: torch.Tensor
) -> torch.Tensor:
    """Draw a token a row: the one at `drawn` (0 to 1) of what is left by temperature and top_p.

    Temperature comes first, as in the other engines; 0 is greedy.
    """
    scaled = logits / temperature.clamp_min(_COLDEST)[:, None]
    chances, tokens = torch.softmax(scaled, -1).sort(-1, descending=True)
    total = chances.cumsum(-1)
    # The most likely is always kept, and those whose predecessors weigh less than top_p.
    kept = total - chances < top_p[:, None]
    kept[:, 0] = True
    last = kept.sum(-1, keepdim=True) - 1
    wanted = drawn[:, None] * total.gather(-1, last)
    place = (total <= wanted).sum(-1, keepdim=True).minimum(last)
    place[temperature <= 0] = 0
    return tokens.gather(-1, place)[:, 0]
