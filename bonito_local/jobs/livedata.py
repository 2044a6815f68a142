"""What the named values of a job's store look like; a damaged one is said to be damaged."""

from __future__ import annotations

from bonito_local.shapes import (
    Shape,
    anything,
    either,
    flag,
    list_of,
    map_of,
    maybe,
    number,
    one_of,
    record,
    text,
    whole,
)

_COUNT = whole(0)
_TIME = number(0, 1e11)
_TEXTS = list_of(text)
# All of it is held against what can be asked where it is read; see `generation.from_json`.
_REQUEST = record({}, {"labels": _TEXTS, "exports": list_of(map_of(anything), 100)})
_TASK = record(
    {
        **dict.fromkeys(("short", "name", "meaning", "instruction", "response"), text),
        "labels": _TEXTS,
        "templates": _TEXTS,
        "limits": list_of(list_of(either(text, number(), flag, _TEXTS), 2), 100),
    },
    {"like": text},
)
_PROGRESS = record(
    {"phase": text, "at": _TIME},
    {
        **dict.fromkeys(
            (
                *("passages", "problems", "planned", "earlier", "done", "accepted"),
                *("prompt_tokens", "completion_tokens"),
            ),
            whole(),
        ),
        "seconds": number(0, 1e11),
        "note": text,
    },
    open=False,
)
_SELECTION = record(
    {},
    {
        "least": map_of(number(), 10),
        "best": whole(0),
        "by": one_of("agreement", "support", "gain"),
        "balance": flag,
    },
    open=False,
)
SHAPES: dict[str, Shape] = {
    "request": _REQUEST,
    "progress": _PROGRESS,
    "wish": one_of("pause", "cancel"),
    "airgap": either(one_of("online"), list_of(text, 100)),
    "air_gaps": list_of(text, 10_000),
    "versions": list_of(text, 10_000),
    "model": map_of(either(text, number(), flag, maybe(text), list_of(anything), map_of(anything))),
    "cluster": text,
    "selection": _SELECTION,
    "planned": anything,
    "elsewhere": anything,
    "evaluation": anything,
    "indexed": whole(0),
    "task_types": list_of(either(text, _TASK), 10_000),
}
_SETTING = either(text, number())
SETTINGS = map_of(_SETTING, 1000)
# What rows of a dataset are made of.
SHARED = record(
    {
        "model": text,
        "model_sha256": text,
        "backend": text,
        "temperature": number(0, 1e300),
        "top_p": number(0, 1),
        "max_tokens": _COUNT,
        "seed": whole(),
    }
)
PROBLEMS = list_of(record({"source": text, "title": text, "remedy": text}, open=False))
