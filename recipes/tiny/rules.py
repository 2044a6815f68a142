"""Rules that turn a plain sentence into questions and statements with known answers.

Questions made so quote the passage, which is what a model of a few million parameters can
learn to do well, and they exist for every kind of document, not only for Wikipedia.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_AUX = set("is are was were can could may might must shall should will would has have had".split())
_NOT_SUBJECT = set(
    "that which who whom whose when if while because although though and or but there as since "
    "after before by with from to in on at for during until unless where why how not "
    "what than under over between among upon within without through".split()
)
_FIRST_LOWER = set(
    "The A An This These Those Each Any All His Her Its Their Our Your My No Some Most Many It He "
    "She They We You Such Both Either Neither Another Other Every Several Two Three Four".split()
)
_PRONOUNS = set("it he she they we you this these those its his her their such".split())
_UNCLEAR = set("It This That These Those He She They".split())
_PEOPLE = re.compile(
    r"\b(?:employees?|part(?:y|ies)|patients?|users?|customers?|members?|persons?|people|"
    r"staff|nurses?|doctors?|managers?|tenants?|landlord|company|president|king|queen|he|she|"
    r"they|students?|authors?|players?|director|team|court|government|actor|singer|writer)\b",
    re.I,
)
_DATE = (
    r"(?:\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|"
    r"December)(?: \d{4})?|(?:January|February|March|April|May|June|July|August|September|October|"
    r"November|December)(?: \d{1,2})?(?:,? \d{4})?|\d{4})"
)
_WHEN = re.compile(rf"^(.{{8,}}?),? (?:on|in|since|by) ({_DATE})$")
_WITHIN = re.compile(
    r"^(.{8,}?),? (within|for|after|every) "
    r"((?:\w+ )?(?:\(\d+\) )?(?:\d+|two|three|four|five|six|seven|ten|"
    r"twelve|fourteen|fifteen|thirty|sixty|ninety)(?: \(\d+\))? (?:[a-z]+ )?"
    r"(?:minutes|hours|days|weeks|months|years))$"
)
_WHERE = re.compile(
    r"^(.{8,}?) (?:in|at) ((?:the )?[A-Z][\w'-]+(?:,? (?:of |the )?[A-Z][\w'-]+){0,3})$"
)
_BECAUSE = re.compile(r"^(.{8,}?),? (?:because|due to) (.{6,90})$")
_NUMBER = re.compile(r"\b\d[\d,]*(?:\.\d+)?\b")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]+(?:'s)?(?: [A-Z][a-z]+)*\b")
_OPPOSITE = {
    a: b
    for pair in (
        "before after|more fewer|larger smaller|first last|north south|east west|increased "
        "decreased|increase decrease|high low|higher lower|early late|always never|allowed "
        "forbidden|required forbidden|open closed|public private|old new|older younger|male "
        "female|began ended|start end|above below|largest smallest|best worst|most fewest|"
        "positive negative|safe dangerous|internal external|written spoken|morning evening|"
        "accepted rejected|included excluded|major minor|common rare|strong weak|northern "
        "southern|eastern western|married divorced|won lost|long short|near far from|same "
        "opposite|disclose hide|monthly yearly|mother father|brother sister|son daughter"
    ).split("|")
    for a, b in (tuple(pair.split(" ", 1)), tuple(reversed(pair.split(" ", 1))))
}


@dataclass(frozen=True, slots=True)
class Clause:
    """A sentence as subject, auxiliary and rest (no final stop)."""

    subject: str
    aux: str
    rest: str


class Rules:
    """Sentence rules that know which words are common nouns, from a sample of text."""

    def __init__(self, sample: Iterable[str]) -> None:
        lower: Counter[str] = Counter()
        upper: Counter[str] = Counter()
        for text in sample:
            for word in re.findall(r"[A-Za-z]+", text):
                (lower if word[0].islower() else upper)[word.lower()] += 1
        self._common = {w for w, n in lower.items() if n > 2 and n > upper[w]}

    def lower_first(self, phrase: str) -> str:
        """Lower the first letter unless the first word looks like a name."""
        first = phrase.split(" ", 1)[0]
        if first in _FIRST_LOWER or first.lower() in self._common:
            return phrase[:1].lower() + phrase[1:]
        return phrase

    def clause(self, sentence: str) -> Clause | None:
        """Split at the first auxiliary when the subject is short and plain."""
        words = sentence.rstrip(".!").split()
        if not 6 <= len(words) <= 32 or not sentence.endswith("."):
            return None
        for i, word in enumerate(words[1:9], 1):  # noqa: B007 (read after the loop)
            if word in _AUX:
                break
        else:
            return None
        subject, rest = words[:i], words[i + 1 :]
        if len(rest) < 3 or any(w.lower() in _NOT_SUBJECT for w in subject):
            return None
        if len(subject) == 1 and subject[0] in _UNCLEAR:
            return None
        if any(not re.fullmatch(r"[\w'’&.-]+", w) for w in subject) or not subject[0][0].isupper():
            return None
        if any(c in '";:()[]“”' for c in " ".join(rest)) or rest[0].lower() in _AUX:
            return None
        if word in ("has", "have", "had") and not re.search(r"(?:ed|en|wn|ne|de)$|^been$", rest[0]):
            return None
        return Clause(" ".join(subject), word, " ".join(rest))

    def yes_no(self, clause: Clause) -> str:
        return f"{clause.aux.capitalize()} {self.lower_first(clause.subject)} {clause.rest}?"

    def statement(self, clause: Clause) -> str:
        return f"{clause.subject} {clause.aux} {clause.rest}."

    def shorten(self, clause: Clause) -> Clause:
        """Drop what follows the first comma when enough is left."""
        head, comma, _ = clause.rest.partition(",")
        if comma and len(head.split()) >= 4:
            return Clause(clause.subject, clause.aux, head)
        return clause

    def spans(self, clause: Clause) -> list[tuple[str, str]]:
        """Return (question, answer) pairs whose answers are spans of the sentence."""
        pairs: list[tuple[str, str]] = []
        subject = self.lower_first(clause.subject)
        aux = clause.aux.capitalize()
        if subject.split()[0].lower() not in _PRONOUNS:
            who = "Who" if _PEOPLE.search(subject) else "What"
            pairs.append((f"{who} {clause.aux} {clause.rest}?", clause.subject))
        for pattern, word in ((_WHEN, "When"), (_WHERE, "Where")):
            if found := pattern.match(clause.rest):
                pairs.append((f"{word} {clause.aux} {subject} {found[1]}?", found[2]))
        if found := _WITHIN.match(clause.rest):
            ask = {"within": "How soon", "for": "How long", "after": "When", "every": "How often"}
            answer = f"{found[2]} {found[3]}" if found[2] != "for" else found[3]
            pairs.append((f"{ask[found[2]]} {clause.aux} {subject} {found[1]}?", answer))
        if found := _BECAUSE.match(clause.rest):
            pairs.append((f"Why {clause.aux} {subject} {found[1]}?", found[2]))
        if aux in ("Is", "Are", "Was", "Were") and re.match(r"(?:an?|the) \w+", clause.rest):
            head = clause.rest.split(",")[0]
            if 2 <= len(head.split()) <= 12:
                word = "Who" if _PEOPLE.search(clause.rest) and len(subject.split()) < 3 else "What"
                pairs.append((f"{word} {clause.aux} {subject}?", head))
        return pairs

    def corrupt(self, clause: Clause, names: list[str], rng: random.Random) -> Clause | None:
        """Change one fact of the clause: a number, a name, or a word for its opposite."""
        ways = ["number", "name", "opposite"]
        rng.shuffle(ways)
        for way in ways:
            rest = clause.rest
            if way == "number" and (found := _NUMBER.search(rest)):
                changed = rest[: found.start()] + _other_number(found[0], rng) + rest[found.end() :]
            elif way == "name" and names and (found := _NAME.search(rest)):
                changed = rest[: found.start()] + rng.choice(names) + rest[found.end() :]
            elif way == "opposite":
                words = rest.split(" ")
                at = [i for i, w in enumerate(words) if w in _OPPOSITE]
                if not at:
                    continue
                i = rng.choice(at)
                words[i] = _OPPOSITE[words[i]]
                changed = " ".join(words)
            else:
                continue
            if changed != rest:
                return Clause(clause.subject, clause.aux, changed)
        return None


def names(text: str) -> list[str]:
    """Return the capitalised names inside a text (not at a sentence's start)."""
    return [n for n in _NAME.findall(text) if len(n) > 3]


def _other_number(number: str, rng: random.Random) -> str:
    digits = number.replace(",", "")
    if "." in digits:
        return f"{float(digits) * rng.choice((0.5, 2, 3)):.1f}"
    value = int(digits)
    if 1000 <= value <= 2100 and "," not in number:
        return str(value + rng.choice((-40, -12, -7, -3, 4, 9, 15, 30)))
    other = max(1, value + rng.choice((-3, 2, 5, 10, value, 2 * value)))
    return f"{other:,}" if "," in number else str(other)
