"""The conversation that comes before every request: a system prompt and examples of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bonito_local.errors import UsageError
from bonito_local.shapes import ShapeError, list_of, map_of, record, text
from bonito_local.writing.forms import Form, request


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is the same for all requests.

    Attributes:
        system: what the model is told first.
        turns: what a user asks and what a model answers, in turns.
        reasoned: turns that show reasoning, too: the others, with some more.
        checks: requests for the answer to a question or the truth of a statement, by kind.
        reasoning: what is added to such a request where the answer is to be reasoned.
        answers: all that is written in the turns, to know a copy by.
        names: words of the texts of the turns that a row of another text does not hold.
    """

    system: str
    turns: tuple[tuple[str, str], ...]
    checks: Mapping[str, str]
    answers: tuple[str, ...]
    names: frozenset[str] = frozenset()
    reasoned: tuple[tuple[str, str], ...] = ()
    reasoning: str = ""

    def shown(self, *, reasoning: bool) -> tuple[tuple[str, str], ...]:
        """Return the turns, with those that show reasoning where it is asked for."""
        return self.reasoned if reasoning else self.turns


_EXCHANGE = record(
    {"written": text}, dict.fromkeys(("task", "label", "sentence", "check", "about"), text)
)
_TEXT = record(
    {"text": text, "heading": text, "exchanges": list_of(_EXCHANGE)},
    {"reasoned": list_of(_EXCHANGE)},
)
_SHAPE = record(
    {"system": text, "checks": map_of(text), "texts": list_of(_TEXT)},
    {"names": list_of(text), "reasoning": text},
)


def parse_conversation(data: Mapping[str, Any], form: Callable[[str], Form | None]) -> Conversation:
    """Return the conversation that a file of `prompts/` describes, with requests by `form`.

    Raises:
        UsageError: something lacks in it.
    """
    turns, reasoned, answers = [], [], []
    try:
        _SHAPE(data, "it")
        checks = data["checks"]
        reasoning = data.get("reasoning", "")
        asking = {kind: reasoned_check(check, reasoning) for kind, check in checks.items()}
        for shown in data["texts"]:
            begun = about(shown["text"], shown["heading"])
            exchanges = [(exchange, checks) for exchange in shown["exchanges"]]
            more = [(exchange, asking) for exchange in shown.get("reasoned", ())]
            for at, (exchange, requests) in enumerate([*exchanges, *more]):
                written = exchange["written"].strip()
                turn = (begun + _request(exchange, requests, form), written)
                reasoned.append(turn)
                if at < len(exchanges):
                    turns.append(turn)
                answers += [line.partition(":")[2].strip() for line in written.splitlines()]
                begun = ""  # The text stands above already.
        return Conversation(
            data["system"],
            tuple(turns),
            dict(checks),
            tuple(answers),
            frozenset(data.get("names", ())),
            tuple(reasoned),
            reasoning,
        )
    except (KeyError, ShapeError) as error:
        raise UsageError(
            f"conversation.toml lacks something, or holds it in another form: {error}.",
            "Start from the package's own: `bonito-local tasks --prompt`.",
        ) from error


def about(passage: str, heading: str) -> str:
    """Return what a request about a passage begins with."""
    source = f"From: {heading}\n\n" if heading else ""
    return f"Text:\n{source}{passage}\n\n"


def _request(
    exchange: Mapping[str, str], checks: Mapping[str, str], form: Callable[[str], Form | None]
) -> str:
    if "check" in exchange:
        return question(checks[exchange["check"]], exchange["check"], exchange["about"])
    asked = form(exchange["task"])
    if asked is None:
        raise KeyError(exchange["task"])
    return request(asked.asks[exchange.get("label", "")], exchange.get("sentence", ""))


def reasoned_check(check: str, reasoning: str) -> str:
    """Return a request for an answer that asks for reasoning first."""
    return f"{check}\n{reasoning}"


def question(ask: str, kind: str, asked: str) -> str:
    """Return a request for the answer to a question or the truth of a statement."""
    return f"{ask}\n{'Statement' if kind == 'statement' else 'Question'}: {asked}"
