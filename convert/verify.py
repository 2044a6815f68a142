"""Compare a converted GGUF with the full-precision model that it was made from.

The reference is the same checkpoint and adapters, converted to the widest type that fits in
memory, run by the same engine: what differs is the quantization alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gguf import TokenType

from bonito_local.backends.llamacpp.gguf_file import GgufHeader, read_header
from bonito_local.backends.llamacpp.machine import available_memory
from bonito_local.convert.compare import Comparison, compare, completions
from bonito_local.convert.manifest import file_record, read_manifest, record_verification
from bonito_local.convert.mixes import MIXES
from bonito_local.convert.plan import MergeInto, Plan, make_plan
from bonito_local.convert.probes import TEXTS
from bonito_local.convert.thresholds import MOST_LOST_ROWS, THRESHOLDS
from bonito_local.convert.vocab import Vocabulary
from bonito_local.errors import ConvertError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from bonito_local.backends.llamacpp.model import Model

SHORTEST_CONTEXT = 256
_REFERENCES = (("F32", 4.0), ("BF16", 2.0), ("Q8_0", 1.07))  # bytes per weight


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked, and all that failed. `comparison` is None without the source."""

    file: str
    quant: str
    context_length: int
    texts_tokenized: int
    comparison: Comparison | None
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def plain(self) -> dict[str, object]:
        """The report as JSON has it."""
        return asdict(self) | {"passed": self.passed}

    @staticmethod
    def path(file: Path) -> Path:
        """Where the report of a GGUF is written."""
        return file.with_name(file.name + ".verify.json")

    def write(self, path: Path) -> Path:
        """Write the report beside the GGUF at `path`, note it in its manifest; return where."""
        out = self.path(path)
        text = json.dumps(self.plain(), indent=1)
        try:
            out.write_text(text + "\n", "utf-8")
        except OSError as error:
            raise ConvertError(f"{out} cannot be written: {error.strerror}.") from error
        summary: dict[str, object] = {"passed": self.passed, "report": out.name}
        if self.comparison:
            summary |= {"mean_kl": self.comparison.mean_kl, "top1": self.comparison.top1}
        record_verification(path, summary)
        return out


def verify(
    path: Path,
    *,
    source: Path | None = None,
    adapters: Sequence[Path] = (),
    merge_into: MergeInto = "bf16",
    text: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Report:
    """Check a GGUF, against the checkpoint it was made from where `source` names it.

    `text` is a file to measure perplexity on. `notify` is told what is being done.

    Raises:
        ModelError: the file is broken, or llama.cpp cannot load it.
        ConvertError: the source is not what the file was made from.
    """
    header = read_header(path)
    failures = _check_manifest(path)
    quant = _quant(header)
    notify("loading")
    failures += _check_special(header)
    comparison, tokenized = None, 0
    if source is not None:
        plan = make_plan(
            source, adapters=adapters, quant=_reference_type(header), merge_into=merge_into
        )
        notify("tokenizing")
        tokenized, wrong = _check_tokens(path, plan, header)
        failures += wrong
        comparison = compare(path, plan, text, notify)
        failures += _judge(comparison, quant)
    else:
        completions(path)  # it loads and generates
    return Report(
        file=path.name,
        quant=quant,
        context_length=int(header.metadata.get(f"{_arch(header)}.context_length", 0)),
        texts_tokenized=tokenized,
        comparison=comparison,
        failures=tuple(failures),
    )


def _arch(header: GgufHeader) -> str:
    return str(header.metadata.get("general.architecture", ""))


def _quant(header: GgufHeader) -> str:
    file_type = header.metadata.get("general.file_type")
    names = {int(mix.file_type): mix.name for mix in MIXES.values()}
    return names.get(file_type, "unknown") if isinstance(file_type, int) else "unknown"


def _reference_type(header: GgufHeader) -> str:
    """The widest type whose weights, with the file's own, take less than 0.7 of free memory."""
    weights = sum(math.prod(shape) for shape in header.tensors.values())
    room = 0.7 * available_memory()
    for name, width in _REFERENCES:
        if weights * (width + 1) < room:
            return name
    return _REFERENCES[-1][0]


def _check_manifest(path: Path) -> list[str]:
    manifest = read_manifest(path)
    output = (manifest or {}).get("output")
    if not isinstance(output, dict):
        return []
    same = file_record(path).sha256 == output.get("sha256")
    return [] if same else ["The file is not the one that its manifest describes."]


def _check_special(header: GgufHeader) -> list[str]:
    failures = []
    tokens = header.arrays.get("tokenizer.ggml.tokens", 0)
    for kind in ("bos", "eos"):
        index = header.metadata.get(f"tokenizer.ggml.{kind}_token_id")
        if index is None and kind == "eos":
            failures.append("It names no EOS token: completions would not end.")
        elif index is not None and not 0 <= int(index) < tokens:
            failures.append(f"Its {kind.upper()} token {index} is not among its {tokens} tokens.")
    if int(header.metadata.get(f"{_arch(header)}.context_length", 0)) < SHORTEST_CONTEXT:
        failures.append("Its context length is too short for a prompt.")
    return failures


def _check_tokens(path: Path, plan: Plan, header: GgufHeader) -> tuple[int, list[str]]:
    """Compare with the source's own tokenizer; returns (texts compared, failures)."""
    failures = []
    special = plan.vocabulary.special
    for kind in ("bos", "eos"):
        mine = header.metadata.get(f"tokenizer.ggml.{kind}_token_id")
        if special.get(kind) != mine:
            failures.append(
                f"Its {kind.upper()} token is {mine}; the source's {special.get(kind)}."
            )
    context = header.metadata.get(f"{_arch(header)}.context_length")
    if context != plan.architecture.context:
        failures.append(f"Its context is {context}; the source's {plan.architecture.context}.")
    file = plan.tokenizer / "tokenizer.json"
    if not file.exists():
        return 0, failures
    from tokenizers import Tokenizer

    from bonito_local.backends.llamacpp.model import Model

    theirs = Tokenizer.from_file(str(file))
    with closing(Model(path, vocabulary_only=True)) as model:
        return len(TEXTS), failures + _compare_texts(model, theirs) + _compare_markers(
            model, theirs, plan.vocabulary
        )


def _compare_texts(model: Model, theirs: Tokenizer) -> list[str]:
    """Compare tokens of passages, in which the names of special tokens are plain text."""
    theirs.encode_special_tokens = True
    return [
        f"It tokenizes {text!r} unlike the source."
        for text in TEXTS
        if model.tokenize(text).tolist() != theirs.encode(text, add_special_tokens=False).ids
    ]


def _compare_markers(model: Model, theirs: Tokenizer, vocabulary: Vocabulary) -> list[str]:
    """Compare tokens of what a chat template writes, with the source's special tokens in it.

    Others are left out: llama.cpp takes a few texts (`</s>`, `<|im_end|>`) for special tokens
    in any vocabulary that lists them, which no template writes that does not mean them.
    """
    theirs.encode_special_tokens = False
    markers = [
        token.decode()
        for token, kind in zip(vocabulary.tokens, vocabulary.types, strict=True)
        if kind == TokenType.CONTROL
    ]
    unlike = [
        marker
        for marker in markers
        if model.tokenize(text := f"a{marker}b", special=True).tolist()
        != theirs.encode(text, add_special_tokens=False).ids
    ]
    if not unlike:
        return []
    others = f" and {len(unlike) - 1} others" if unlike[1:] else ""
    return [f"It does not read the special token {unlike[0]!r}{others} as the source does."]


def _judge(comparison: Comparison, quant: str) -> list[str]:
    limit = THRESHOLDS.get(quant)
    failures = []
    if limit is not None and not comparison.mean_kl <= limit.kl:
        failures.append(f"Mean divergence {comparison.mean_kl:.4f} is over {limit.kl} for {quant}.")
    if limit is not None and comparison.top1 < limit.top1:
        failures.append(f"Top-1 agreement {comparison.top1:.1%} is under {limit.top1:.0%}.")
    if comparison.parse_rate < comparison.reference_parse_rate - MOST_LOST_ROWS:
        failures.append(
            f"{comparison.parse_rate:.0%} of completions parse, of the reference's "
            f"{comparison.reference_parse_rate:.0%}."
        )
    return failures
