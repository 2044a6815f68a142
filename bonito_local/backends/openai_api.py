"""The openai backend: a server that the user runs, asked over OpenAI's API.

llama-server, vLLM, Ollama and LM Studio speak it. Plain prompts are completed; a prompt with a
frame is a chat, where the server takes those. A sample is a request with its own seed; what a
server makes of the seed, or of special tokens' names in a passage, is up to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from bonito_local.backends.base import (
    Completion,
    FinishReason,
    Framed,
    Plan,
    Request,
    Sample,
    Sampling,
)
from bonito_local.backends.batching import cut_at_stop
from bonito_local.backends.endpoint import Endpoint, parse_endpoint
from bonito_local.backends.exclusive import Exclusive
from bonito_local.backends.http_json import Client, Patience, Refused, Unanswered
from bonito_local.backends.openai_chat import (
    OLLAMA,
    PROBE,
    PROBE_SHAPE,
    PROBE_TOKENS,
    Manner,
    answer_in,
    content_of,
    manners,
    thinks,
)
from bonito_local.backends.openai_told import Server, counted_by, known
from bonito_local.errors import BackendError, BonitoError

_AT_ONCE = 16
_BYTES = 3  # of text a token, where the server does not count: few, so that prompts fit
_MOST_FAILED = 8  # in a row; then it is the server, not what it is asked
_SEEDS = 0x7FFFFFFF
_THOUGHT = 1024  # tokens more for models that think, at most a quarter of the context
_MOST_OF_A_BYTE = 4  # tokens
_CHARACTERS, _SPARE = 64, 4096  # of text: more than so many a token, no model writes
# Servers have defaults beyond the API's, which would change what is drawn.
_NEUTRAL = {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0, "repetition_penalty": 1.0}
_REFUSES_ALL = {401, 403, 404, 405, 501}


def open_planned(model: Path, plan: Plan) -> OpenAI:
    """Open the model of this name on the server that the plan names.

    Raises:
        BackendError: no server answers there, it wants a key, or it completes no texts.
        UsageError: it has no such model.
    """
    engine = OpenAI(str(model), parse_endpoint(plan.options.endpoint))
    try:
        engine.probe()
    except BonitoError:
        engine.close()
        raise
    return engine


class OpenAI:
    """Asks a server for completions, several at once, and yields them as they come.

    Attributes:
        model: the name as the server lists it.
        metadata: what the server tells of the model, by GGUF's keys; `server.chat` is whether it
            is asked in chats.
        context_length: as the server tells it, else 2048.
    """

    name = "openai"
    _thought = 0

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        *,
        patience: Patience | None = None,
        at_once: int = _AT_ONCE,
    ) -> None:
        """Find the model; `at_once` is the most requests with the server at a time.

        Raises:
            BackendError: no server answers there, or it wants a key.
            UsageError: it has no such model.
        """
        self._endpoint = endpoint
        self._patience = patience or Patience()
        self._at_once = at_once
        self._client = Client(endpoint, self._patience)
        self._server = Server(self._client, endpoint)
        self._exclusive = Exclusive()
        try:
            listed = self._server.listed()
            self.model = known(model, list(listed), endpoint) if listed else model
            told = listed.get(self.model, {})
            self._owner = str(told.get("owned_by", ""))
            self._manner: Manner | None = None
            self._chat_tried = False
            self.metadata = self._server.described(self.model, told)
            self.context_length = self._server.context(told)
            self._counts = self._counted("Count these.") is not None
        except BonitoError:
            self.close()
            raise

    def probe(self) -> None:
        """Have the server say a word: what it cannot do shows before any work is done.

        A Bonito model completes texts; any other is asked in a chat, where the server takes those.

        Raises:
            BackendError: it refuses, or answers without a completion.
        """
        if not any("bonito" in f"{key} {said}".lower() for key, said in self.metadata.items()):
            self._find_manner()
            if self._manner:
                self.metadata["server.chat"] = True
        if not self._manner:
            self._probe_texts()
        if self._owner == OLLAMA:
            self.context_length = self._server.loaded_context(self.model) or self.context_length
        self.context_length -= self._thought

    def _probe_texts(self) -> None:
        request = Request("", "Hello", Sampling(max_tokens=1), (Sample(0, 0),))
        done = self._complete(self._client, request, request.samples[0])
        if done.finish_reason == "failed":
            raise BackendError(
                f"The server at {self._endpoint} completes no texts. {done.error}",
                "It must serve OpenAI's /v1/completions for Bonito models, and "
                "/v1/chat/completions for others.",
            )

    def _find_manner(self) -> None:
        """Find out how the server takes chats, if it does, and whether the model thinks.

        Raises:
            BackendError: it wants a key, or is gone.
        """
        self._chat_tried = True
        sampled = {"model": self.model, "max_tokens": PROBE_TOKENS, "temperature": 0.0, **_NEUTRAL}
        for manner in manners(self.model, self._owner):
            body = {**sampled, **manner.body(PROBE, PROBE_SHAPE)}
            try:
                answer = self._client.ask("/v1/chat/completions", body, attempts=2)
                choice = answer["choices"][0]
            except Refused as error:
                if error.status in (401, 403):
                    raise self._server.refusal(error) from error
                if error.status in _REFUSES_ALL:
                    return
            except Unanswered as error:
                if not error.reached:
                    raise self._server.gone(error) from error
            except (KeyError, IndexError, TypeError):
                return
            else:
                if content_of(choice) is None:
                    return
                self._manner = replace(manner, thinks=thinks(choice))
                if self._manner.thinks:
                    self._thought = min(_THOUGHT, self.context_length // 4)
                return

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, as the server counts; a guess where it does not."""
        counted = self._counted(text) if self._counts else None
        return -(-len(text.encode("utf-8", "replace")) // _BYTES) if counted is None else counted

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield every sample's completion as the server answers.

        A request that the server does not take, or fails at every time, fails alone.

        Raises:
            BackendError: the server is gone, refuses everything, or fails at everything; or
                the engine is generating already.
        """
        with self._exclusive:
            yield from self._run(requests)

    def _run(self, requests: Iterable[Request]) -> Iterator[Completion]:
        client = Client(self._endpoint, self._patience)
        done: SimpleQueue[Future[Completion]] = SimpleQueue()
        asked = failed = 0
        waiting = ((request, sample) for request in requests for sample in request.samples)
        pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="openai")
        try:
            while True:
                while asked < self._at_once and (some := next(waiting, None)) is not None:
                    if isinstance(some[0].prompt, Framed) and not self._chat_tried:
                        self._find_manner()
                    pool.submit(self._complete, client, *some).add_done_callback(done.put)
                    asked += 1
                if not asked:
                    return
                completion = done.get().result()
                asked -= 1
                failed = failed + 1 if completion.finish_reason == "failed" else 0
                if failed >= _MOST_FAILED:
                    raise BackendError(
                        f"The server at {self._endpoint} failed {failed} times in a row; at last: "
                        f"{completion.error}",
                        "See what it says.",
                    )
                yield completion
        finally:
            client.abort()
            pool.shutdown(cancel_futures=True)
            client.close()

    def close(self) -> None:
        """Close the connections; the server keeps its model."""
        self._client.close()

    def _complete(self, client: Client, request: Request, sample: Sample) -> Completion:
        sampling = request.sampling
        prompt, path = request.prompt, "/v1/completions"
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sample.seed & _SEEDS,
            **_NEUTRAL,
        }
        if self._manner and isinstance(prompt, Framed):
            path = "/v1/chat/completions"
            body |= self._manner.body(prompt, request.shape)
            body["max_tokens"] += self._thought
        else:
            body["prompt"] = prompt
            if sampling.stop:
                body["stop"] = list(sampling.stop)
        try:
            return self._read(client.ask(path, body), request, sample)
        except Refused as error:
            if error.status in _REFUSES_ALL:
                raise self._server.refusal(error) from error
            return _failed(request, sample, f"The server refused it: {error.said}.")
        except Unanswered as error:
            if not error.reached:
                raise self._server.gone(error) from error
            return _failed(request, sample, f"The server failed at it: {error.said}.")

    def _read(self, answer: Any, request: Request, sample: Sample) -> Completion:
        try:
            choice, usage = answer["choices"][0], answer.get("usage") or {}
            said = choice.get("finish_reason")
            text = content_of(choice) if "message" in choice else choice["text"]
        except (KeyError, IndexError, TypeError, AttributeError):
            return _failed(request, sample, "The server answered without a completion.")
        if not isinstance(text, str) or not isinstance(usage, dict):
            return _failed(request, sample, "The server answered without a completion.")
        reason: FinishReason = "length" if said == "length" else "stop"
        if "message" in choice and isinstance(request.prompt, Framed):
            text, ended = answer_in(text, request.prompt, request.sampling.stop)
            reason = "stop" if ended else reason
        elif (cut := cut_at_stop(text, request.sampling.stop)) is not None:
            text, reason = cut, "stop"
        most = _CHARACTERS * request.sampling.max_tokens + _SPARE
        if len(text) > most:
            # A server that does not keep to the limit: no row is made of what was cut off.
            text, reason = text[:most], "length"
        return Completion(
            request.id,
            sample.index,
            text,
            counted_by(usage.get("prompt_tokens"), 0),
            counted_by(usage.get("completion_tokens"), 0),
            reason,
        )

    def _counted(self, text: str) -> int | None:
        """Tokens as llama-server and vLLM count them; None where the server does not."""
        plain = {"add_special": False, "add_special_tokens": False}
        body = {"content": text, "prompt": text, "model": self.model, **plain}
        found = self._server.asked("/tokenize", "tokens", body=body)
        if not isinstance(found, list):
            return None
        if len(found) > _MOST_OF_A_BYTE * len(text.encode("utf-8", "replace")) + _SPARE:
            self._counts = False  # what it counts is not this text: it is not asked again
            return None
        return len(found)


def _failed(request: Request, sample: Sample, why: str) -> Completion:
    return Completion(request.id, sample.index, "", 0, 0, "failed", why)
