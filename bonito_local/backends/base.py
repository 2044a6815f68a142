"""The protocol between jobs and engines.

A backend pulls requests as it has room and yields completions as they finish,
in any order: memory stays bounded for any number of requests, rows are recorded
as they come, and cancelling is to stop pulling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

FinishReason = Literal["stop", "length", "failed"]
# What a model is: a GGUF file, a checkpoint folder, or a name that a server knows.
ModelFormat = Literal["gguf", "checkpoint", "name"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How completions are drawn; the defaults are the Bonito paper's.

    `temperature` 0 is greedy. `max_tokens` counts completion tokens. `seed` is
    the job's; each sample's own seed is derived from it.
    """

    n: int = 1
    temperature: float = 0.5
    top_p: float = 0.95
    max_tokens: int = 256
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion to draw: its index among the passage's n, and its seed."""

    index: int
    seed: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What a guided completion must look like: an instruction, one `marker`, a response.

    The response is one of the `choices` where there are any, or stands word for word in
    `span_of` where that is given; else it is any text.
    """

    marker: str
    choices: tuple[str, ...] = ()
    span_of: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a completion: any text, one of the `choices`, or words that `span_of` holds."""

    name: str
    choices: tuple[str, ...] = ()
    span_of: str | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """What a guided completion of lines must look like.

    The prompt ends with the first line's name and a colon. Each line after it begins with its own.
    The completion ends where the last line does.
    """

    lines: tuple[Line, ...]


class Framed(str):
    """A prompt whose `head` and `tail` are a chat template's.

    Names of special tokens in them mean those tokens; in the text between they are plain text.

    Attributes:
        before: the messages before the text, by role and content: what `head` shows, for servers
            that apply a template of their own. A cluster's engines get the texts alone.
        lead: what the answer begins with, at the end of `tail`. Such servers cannot be given it.
    """

    __slots__ = ("before", "head", "lead", "tail", "text")

    def __new__(
        cls,
        head: str,
        text: str,
        tail: str,
        *,
        before: tuple[tuple[str, str], ...] = (),
        lead: str = "",
    ) -> Framed:
        """Put the three together."""
        whole = super().__new__(cls, head + text + tail)
        whole.head, whole.text, whole.tail = head, text, tail
        whole.before, whole.lead = before, lead
        return whole

    head: str
    text: str
    tail: str
    before: tuple[tuple[str, str], ...]
    lead: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation that ends with the text, as chat APIs take it."""
        said = [*self.before, ("user", self.text)]
        return [{"role": role, "content": content} for role, content in said]


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt (without BOS) and the samples to draw from it.

    `samples` may be a subset of range(sampling.n) when a job goes on where it stopped.
    With a `shape`, tokens that would leave it are never drawn.
    """

    id: str
    prompt: str
    sampling: Sampling
    samples: tuple[Sample, ...]
    shape: Shape | Lines | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One sample's end. `text` holds no EOS and no stop string.

    With `finish_reason` "failed", `error` says why (the request alone failed: a
    prompt too long for the context, say) and `text` is empty.
    """

    request_id: str
    sample: int
    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason
    error: str = ""


def too_long(request: Request, sample: int, tokens: int, context: int) -> Completion:
    """How a sample ends whose prompt, of so many tokens, leaves no room in the context."""
    error = f"The prompt has {tokens} tokens; the context holds {context}."
    return Completion(request.id, sample, "", tokens, 0, "failed", error)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the user may say about an engine; which takes what is in the registry.

    Attributes:
        endpoint: where a server listens, as a URL.
        remote: the server may be another machine, which then sees the passages.
        adapter: folder of a LoRA adapter to apply as the model runs.
        quantization: of the weights as they load: "nf4" or "fp8"; else as they are.
        dtype: "bfloat16", "float16" or "float32"; else what the engine takes to suit.
        tensor_parallel: GPUs that share each layer.
        memory_fraction: of a GPU's memory that the engine takes; else the engine's own.
    """

    endpoint: str = ""
    remote: bool = False
    adapter: str = ""
    quantization: str = ""
    dtype: str = ""
    tensor_parallel: int = 1
    memory_fraction: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine may know of the job before it opens a model.

    Attributes:
        model_sha256: the model file's hash, in hex; empty if not known.
        n: rows a passage and task.
        tune: measure this machine first, if it never was with this model.
        reproducible: the same requests give the same completions, bit for bit.
        options: what the user said about the engine.
        notify: told what is done before the first row.
        stop: whether the user wants no more of it.
    """

    model_sha256: str = ""
    n: int = 1
    tune: bool = False
    reproducible: bool = False
    options: EngineOptions = field(default_factory=EngineOptions)
    notify: Callable[[str], None] = lambda _: None
    stop: Callable[[], bool] = lambda: False


class Backend(Protocol):
    """An engine that turns requests into completions."""

    @property
    def name(self) -> str:
        """Short name as in `--backend`."""

    @property
    def context_length(self) -> int:
        """Most tokens (BOS, prompt and completion) one sequence may hold."""

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield one completion for every sample of every request, in any order."""

    def close(self) -> None:
        """Free the model's memory."""
