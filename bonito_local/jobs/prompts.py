"""How a job asks its model: which writer suits it, and how long its passages may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bonito_local.backends.base import Backend
from bonito_local.errors import UsageError
from bonito_local.jobs.exchange import REASONED_TOKENS
from bonito_local.jobs.generation import Generation
from bonito_local.models.fit import passage_tokens
from bonito_local.writing.bonito import BonitoWriter
from bonito_local.writing.chat import frame, plain_frame
from bonito_local.writing.evidence import EvidenceWriter
from bonito_local.writing.instruct import InstructWriter
from bonito_local.writing.promptset import PromptSet, package_prompts
from bonito_local.writing.writer import Assignment, Writer

Style = Literal["auto", "bonito", "instruct", "evidence"]
STYLES: tuple[Style, ...] = ("auto", "bonito", "instruct", "evidence")

BONITO = BonitoWriter()
_SENTENCE = "word " * 60
_TOKENS = ("bos_token", "eos_token")  # by their names in a template; see `Model.metadata`


def writer_of(
    style: str,
    metadata: Mapping[str, object],
    prompts: PromptSet | None = None,
    *,
    reasoning: bool = False,
) -> Writer:
    """Return how to ask a model with this metadata; with "auto" by what it was made for.

    `prompts` are the package's where none are given. With `reasoning` the model reasons before it
    answers a row's question.

    Raises:
        ModelError: its chat template cannot be used.
        UsageError: it writes rows alone, and no reasoning, or the prompts do not ask for one.
    """
    prompts = prompts or package_prompts()
    if style == "evidence" or (style == "auto" and metadata.get("bonito.writer") == "evidence"):
        check_reasons("evidence", reasoning)
        return EvidenceWriter(prompts)
    template = str(metadata.get("tokenizer.chat_template", ""))
    if style == "auto":
        chats = template or metadata.get("server.chat") or is_base(metadata)
        style = "instruct" if chats and not _is_bonito(metadata) else "bonito"
    check_reasons(style, reasoning)
    if style == "bonito":
        return BONITO
    said = prompts.conversation
    turns = said.shown(reasoning=reasoning)
    if reasoning and not said.reasoning:
        raise UsageError(
            "The prompts do not ask for reasoning: conversation.toml has no reasoning.",
            "Take it from the package's own (`bonito-local tasks --prompt`), or leave --reasoning "
            "out.",
        )
    if not template:
        around = plain_frame(said.system, turns)
        return InstructWriter(writer=around, prompts=prompts, reasoning=reasoning)
    tokens = {name: str(metadata.get(f"tokenizer.{name}", "")) for name in _TOKENS}
    plain = frame(template, tokens=tokens)
    return InstructWriter(plain, frame(template, said.system, turns, tokens), prompts, reasoning)


def check_reasons(style: str, reasoning: bool) -> None:
    """Raise UsageError where reasoning is asked of a model that is asked in this style."""
    if reasoning and style in ("bonito", "evidence"):
        raise UsageError(
            "A model that was trained to write rows gives no reasoning.",
            "Use one that follows instructions, or name such a one with --verifier.",
        )


def is_base(metadata: Mapping[str, object]) -> bool:
    """Whether a GGUF says what it is, and was trained neither to chat nor to be a Bonito.

    A checkpoint that was trained as a Bonito says nothing of it: none is taken for a base.
    """
    chats = metadata.get("tokenizer.chat_template") or metadata.get("server.chat")
    ours = any(name.startswith("bonito.") for name in metadata) or _is_bonito(metadata)
    return "general.architecture" in metadata and not chats and not ours


def longest_passage(backend: Backend, wanted: Generation, writer: Writer) -> int:
    """Return the most tokens of a passage, as for `passage_tokens`, asked about like this."""
    # What stands around a passage, with room for the sentence that a row is about.
    bare = (
        []
        if writer is BONITO
        else [writer.ask(Assignment(task, _SENTENCE)).prompt for task in wanted.tasks]
    )
    most = max(wanted.sampling.max_tokens, REASONED_TOKENS if wanted.reasoning else 0)
    return passage_tokens(backend, most, wanted.passage_tokens, bare)


def _is_bonito(metadata: Mapping[str, object]) -> bool:
    names = ("general.name", "general.basename", "bonito.convert.base", "bonito.convert.adapters")
    described = " ".join(str(metadata.get(name, "")) for name in names)
    return "bonito.task_types" in metadata or "bonito" in described.lower()
