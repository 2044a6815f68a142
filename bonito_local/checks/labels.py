"""Checks of responses that are labels: of yes and no, inference, sentiment, topic and the like."""

from __future__ import annotations

import re

from bonito_local.checks.candidate import Candidate, Check
from bonito_local.checks.text import holds, normalize, words

LabelSet = tuple[str, ...]
_YES_NO: tuple[LabelSet, ...] = (("yes", "no"), ("true", "false"), ("correct", "incorrect"))
# The sets that P3's templates ask for, in whose words Bonito models answer.
_INFERENCE: tuple[LabelSet, ...] = (
    ("entailment", "neutral", "contradiction"),
    ("yes", "no", "maybe"),
    ("true", "false", "inconclusive", "neither"),
    ("correct", "incorrect", "inconclusive"),
    ("always", "sometimes", "never"),
    ("guaranteed", "possible", "impossible"),
    ("entailment", "not entailment"),
)
LABELS: dict[str, tuple[LabelSet, ...]] = {
    "ynqa": (("yes", "no"),),
    "nli": _INFERENCE,
    "te": (*_YES_NO, *_INFERENCE),
    "sentiment": (
        ("positive", "negative", "neutral", "mixed"),
        ("good", "bad"),
        ("great", "good", "okay", "bad", "terrible"),
        ("yes", "no"),
        ("happy", "unhappy"),
    ),
    "paraphrase_id": (
        *_YES_NO,
        ("equivalent", "not equivalent"),
        ("duplicates", "not duplicates"),
        ("paraphrase", "not paraphrase"),
    ),
    "wsd": _YES_NO[:2],
}
# Labels that say that a statement does not follow.
_DENYING = frozenset(
    "no false incorrect contradiction neutral maybe inconclusive neither never impossible".split()
) | {"not entailment"}
_STATEMENT_WORDS = 5  # fewer may stand in the passage and mean something else
_TOPIC_WORDS = 6
_QUOTED = re.compile(r"[\"“'‘]([^\W\d_][\w\-]*)[\"”'’]")


def label_of(response: str) -> str:
    """A response as a label: folded, without the signs around it."""
    return normalize(response).replace("_", " ").strip(" .!?\"'“”‘’()")


def other_labels(kind: str, asked: str, response: str) -> tuple[str, ...]:
    """The labels that an instruction offers beside the one of a response, written like it.

    None where the response is more than a label, or no set of labels is offered.
    """
    label = label_of(response)
    if normalize(response).strip(" .") != label:
        return ()
    sets = [labels for labels in LABELS.get(kind, ()) if label in labels]
    offered = [[name for name in labels if holds(asked, name)] for labels in sets]
    best: list[str] = max((names for names in offered if label in names), key=len, default=[])
    if len(best) < 2 and len(LABELS.get(kind, ())) == 1 and sets:
        best = list(sets[0])  # A question of yes or no need not say so.
    end = "." if response.rstrip().endswith(".") else ""
    names = [name for name in best if name != label]
    if response.strip()[:1].isupper():
        names = [name.capitalize() for name in names]
    return tuple(f"{name}{end}" for name in names)


def _not_label(row: Candidate) -> bool:
    label = label_of(row.response)
    if row.task.kind == "topic_class":
        if row.labels:
            return label not in {label_of(known) for known in row.labels}
        return len(words(label)) > _TOPIC_WORDS or "?" in row.response
    known = {name for labels in LABELS[row.task.kind] for name in labels}
    # Whoever reads the row sees the labels it offers in its own words.
    return label not in known and not holds(row.asked, row.response)


def _not_offered(row: Candidate) -> bool:
    """Whether the instruction offers labels, two or more of a set, and this is none of them."""
    label, offered = label_of(row.response), set[str]()
    for labels in LABELS[row.task.kind]:
        named = {name for name in labels if holds(row.asked, name)}
        if len(named) > 1:
            offered |= named
    return bool(offered) and label not in offered and not holds(row.asked, row.response)


def _foreign_word(row: Candidate) -> bool:
    """Whether the word in quotes is not in the passage, whatever its ending."""
    quoted = [word for word in _QUOTED.findall(row.asked) if label_of(word) != label_of(row.said)]
    if not quoted:
        return False
    stem = normalize(quoted[0])[:4]
    return not any(word.startswith(stem) for word in words(row.passage))


def _denies_its_passage(row: Candidate) -> bool:
    """Whether a statement stands word for word in the passage, and the label says otherwise."""
    if label_of(row.response) not in _DENYING:
        return False
    parts = re.split(r"\n|(?<=:)\s", row.asked)
    return any(len(words(part)) >= _STATEMENT_WORDS and holds(row.passage, part) for part in parts)


LABELLED = (
    Check(
        "response is not yes or no",
        ("ynqa",),
        lambda row: normalize(row.response).strip(" .!") not in ("yes", "no"),
    ),
    Check(
        "response is not a label",
        ("nli", "te", "sentiment", "paraphrase_id", "topic_class", "wsd"),
        _not_label,
    ),
    Check(
        "response is not one of the options",
        ("nli", "te", "sentiment", "paraphrase_id"),
        _not_offered,
    ),
    Check("statement stands in the passage", ("nli", "te"), _denies_its_passage),
    Check("word is not in the passage", ("wsd",), _foreign_word),
)
