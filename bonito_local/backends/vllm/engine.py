"""The vLLM backend: its engine's step loop in this process, rows as they finish.

Every sample is a request of its own with its own seed; those of one prompt share its KV
cache through vLLM's prefix caching.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bonito_local.backends.adapter import read_adapter
from bonito_local.backends.base import Completion, EngineOptions, Plan, Request, too_long
from bonito_local.backends.checkpoint import read_checkpoint
from bonito_local.backends.exclusive import Exclusive
from bonito_local.backends.vllm.loading import load_engine
from bonito_local.errors import BackendError

_SEEDS = 0x7FFFFFFFFFFFFFFF
_AHEAD = 2  # times the rows computed together are with the engine, so that none waits for us


def open_planned(folder: Path, plan: Plan) -> VLLM:
    """Open a checkpoint.

    Raises:
        ModelError: it, or its adapter, is broken, of an unknown kind, or does not fit in memory.
        BackendError: there is no device for it.
    """
    return VLLM(folder, plan.options)


class VLLM:
    """Runs a checkpoint with vLLM.

    Attributes:
        cached_tokens: prompt tokens that were not computed, having been for another sample.
        metadata: its name and chat template, by GGUF's keys.
    """

    name = "vllm"

    def __init__(self, folder: Path, options: EngineOptions | None = None) -> None:
        """Load weights, tokenizer and adapter.

        Raises:
            ModelError: one of them is broken, of an unknown kind, or too large.
            BackendError: there is no device for it.
        """
        options = options or EngineOptions()
        checkpoint = read_checkpoint(folder)
        adapter = read_adapter(Path(options.adapter)) if options.adapter else None
        self._engine = load_engine(checkpoint, options, adapter)
        # Only now: both import torch, which takes the devices as vLLM has set them up.
        from vllm.lora.request import LoRARequest

        from bonito_local.backends.transformers.texts import Texts

        self.texts = Texts(folder)
        self.metadata = checkpoint.metadata
        self._adapter = LoRARequest("adapter", 1, str(adapter.folder)) if adapter else None
        config = self._engine.vllm_config
        self.context_length: int = config.model_config.max_model_len
        self._most = _AHEAD * config.scheduler_config.max_num_seqs
        self.cached_tokens = 0
        self._count = 0
        self._exclusive = Exclusive()

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""
        return self.texts.count(text)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield every sample's completion as it finishes.

        `completion_tokens` counts the end-of-text token.

        Raises:
            BackendError: the engine failed, or is closed or generating already.
        """
        if self._engine is None:
            raise BackendError("The engine is closed.", "Open the model again.")
        with self._exclusive:
            yield from self._run(iter(requests))

    def likelihoods(self, texts: list[tuple[list[int], int]]) -> list[float]:
        """Log-probability of each text's tokens from the place on that it comes with.

        Raises:
            BackendError: the engine failed, or is closed or generating already.
        """
        from vllm import SamplingParams

        if self._engine is None:
            raise BackendError("The engine is closed.", "Open the model again.")
        params = SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False)
        found: dict[str, float] = {}
        with self._exclusive:
            names = []
            for tokens, _ in texts:
                self._count += 1
                names.append(str(self._count))
                self._engine.add_request(
                    names[-1], {"prompt_token_ids": tokens}, params, lora_request=self._adapter
                )
            asked = dict(zip(names, texts, strict=True))
            while len(found) < len(asked):
                for output in self._step():
                    if output.finished:
                        tokens, start = asked[output.request_id]
                        found[output.request_id] = sum(
                            output.prompt_logprobs[at][tokens[at]].logprob
                            for at in range(start, len(tokens))
                        )
        return [found[name] for name in names]

    def close(self) -> None:
        """Free the model's memory."""
        if self._engine is not None:
            self._engine.engine_core.shutdown()
            self._engine = None

    def _run(self, pulled: Iterator[Request]) -> Iterator[Completion]:
        live: dict[str, tuple[Request, int]] = {}
        try:
            while True:
                while len(live) < self._most and (request := next(pulled, None)) is not None:
                    yield from self._add(request, live)
                if not live:
                    return
                for output in self._step():
                    if output.finished:
                        self.cached_tokens += output.num_cached_tokens or 0
                        yield self._completion(*live.pop(output.request_id), output)
        finally:
            if live and self._engine is not None:
                self._engine.abort_request(list(live))

    def _add(self, request: Request, live: dict[str, tuple[Request, int]]) -> Iterator[Completion]:
        """Hand a request's samples to the engine; one that does not fit comes back failed."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        tokens = self.texts.encode(request.prompt)
        sampling = request.sampling
        room = self.context_length - len(tokens)
        for sample in request.samples:
            if room < 1:
                yield too_long(request, sample.index, len(tokens), self.context_length)
                continue
            self._count += 1
            name = str(self._count)
            params = SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=min(sampling.max_tokens, room),
                seed=sample.seed & _SEEDS,
                stop=list(sampling.stop),
                stop_token_ids=self.texts.ends(sampling.stop),
                # Its own text lacks a character that was cut at the end.
                detokenize=bool(sampling.stop),
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            self._engine.add_request(
                name, {"prompt_token_ids": tokens}, params, lora_request=self._adapter
            )
            live[name] = (request, sample.index)

    def _step(self) -> list[Any]:
        try:
            found: list[Any] = self._engine.step()
        except (RuntimeError, ValueError, OSError) as error:
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise BackendError(
                f"vLLM failed while generating: {said}.",
                "Lower engine.memory_fraction if memory ran out, and run the same command again.",
            ) from error
        return found

    def _completion(self, request: Request, sample: int, output: Any) -> Completion:
        drawn = output.outputs[0]
        asked, count = output.prompt_token_ids, len(drawn.token_ids)
        if drawn.finish_reason not in ("stop", "length"):
            error = f"vLLM ended it: {drawn.finish_reason}."
            return Completion(request.id, sample, "", len(asked), count, "failed", error)
        text = drawn.text
        if not request.sampling.stop:
            text = self.texts.decode_after(asked[-1:], list(drawn.token_ids))
        return Completion(request.id, sample, text, len(asked), count, drawn.finish_reason)
