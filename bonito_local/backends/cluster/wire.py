"""What travels between the driver and the engines: requests as JSON, completions as Arrow.

Neither is a pickle, and both hold text as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import pyarrow as pa

from bonito_local.backends.base import (
    Completion,
    Framed,
    Line,
    Lines,
    Request,
    Sample,
    Sampling,
    Shape,
)
from bonito_local.errors import BackendError, BonitoError, ModelError

# The fields of a completion, in order.
_SCHEMA = pa.schema(
    [
        ("request_id", pa.string()),
        ("sample", pa.int64()),
        ("text", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("finish_reason", pa.string()),
        ("error", pa.string()),
    ]
)
_FAULT = ""  # the request id of a row that says why an engine cannot go on


def pack_requests(requests: Sequence[Request]) -> bytes:
    """One block of requests, as JSON."""
    return json.dumps([_plain(request) for request in requests]).encode()


def _plain(request: Request) -> dict[str, Any]:
    """As `asdict` makes it, which takes many times as long for what is the same in each."""
    prompt = request.prompt
    return {
        "id": request.id,
        "prompt": [prompt.head, prompt.text, prompt.tail] if isinstance(prompt, Framed) else prompt,
        "sampling": _sampling(request.sampling),
        "samples": [(sample.index, sample.seed) for sample in request.samples],
        "shape": asdict(request.shape) if request.shape else None,
    }


@lru_cache(maxsize=8)
def _sampling(sampling: Sampling) -> dict[str, Any]:
    return asdict(sampling)


def unpack_requests(data: bytes) -> list[Request]:
    """The requests of `pack_requests`."""
    return [_request(found) for found in json.loads(data)]


def _request(found: dict[str, Any]) -> Request:
    sampling, shape, prompt = found["sampling"], found["shape"], found["prompt"]
    return Request(
        found["id"],
        Framed(*prompt) if isinstance(prompt, list) else prompt,
        Sampling(**sampling | {"stop": tuple(sampling["stop"])}),
        tuple(Sample(index, seed) for index, seed in found["samples"]),
        _shape(shape) if shape else None,
    )


def _shape(found: dict[str, Any]) -> Shape | Lines:
    if "lines" in found:
        return Lines(tuple(Line(**_choices(line)) for line in found["lines"]))
    return Shape(**_choices(found))


def _choices(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"choices": tuple(found["choices"])}


def pack_completions(completions: Iterable[Completion]) -> pa.Table:
    """A table of a row for each."""
    rows = list(completions)
    columns = {name: [_storable(getattr(row, name)) for row in rows] for name in _SCHEMA.names}
    return pa.table(columns, schema=_SCHEMA)


def pack_fault(error: BonitoError) -> pa.Table:
    """A table that says why an engine cannot go on."""
    kind = "model" if isinstance(error, ModelError) else "engine"
    told = json.dumps([kind, error.title, error.remedy])
    return pack_completions([Completion(_FAULT, 0, "", 0, 0, "failed", told)])


def unpack_completions(table: pa.Table) -> Iterator[Completion]:
    """The completions of a table.

    Raises:
        ModelError: an engine could not open its model.
        BackendError: an engine failed.
    """
    columns = [table.column(name).to_pylist() for name in _SCHEMA.names]
    for row in zip(*columns, strict=True):
        completion = Completion(*row)
        if completion.request_id == _FAULT:
            kind, title, remedy = json.loads(completion.error)
            raise (ModelError if kind == "model" else BackendError)(title, remedy)
        yield completion


def _storable(value: object) -> object:
    """Arrow holds UTF-8 alone: half a surrogate pair becomes a question mark."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
