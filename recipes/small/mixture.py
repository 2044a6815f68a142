"""The CTGA-style mix: groups of rows on one passage and task type, in Bonito's format.

The rows of a group share their prompt, so that the trainer computes their passage once.
Questions are those that people wrote, where there are any; plain sentences give rows to the
passages that nobody asked about: policies and contracts.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rules import Clause, Rules, names
from sources import Paragraph, Question
from statements import Forms, Verbs, forms, wrong_answer

TEMPLATES: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("templates.toml").read_text("utf-8")
)
# Groups drawn per task type, out of 100.
WEIGHTS = {
    "exqa": 38,
    "ynqa": 20,
    "qa": 6,
    "mcqa": 6,
    "qg": 5,
    "nli": 6,
    "te": 4,
    "summarization": 4,
    "topic_class": 3,
    "text_gen": 2,
    "paraphrase_id": 3,
    "sent_comp": 2,
    "sentiment": 1,
}
_LETTERS = "ABCD"
_MOST_TRIES = 20_000  # paragraphs tried for one group
_MOST_ROWS = 5  # of a group
_SHORTEST, _LONGEST = 30, 180  # words of a passage
_FEWEST = {
    "exqa": 3,
    "ynqa": 2,
    "mcqa": 2,
    "qg": 3,
    "qa": 2,
    "nli": 2,
}  # rows worth a passage's tokens
_TOPIC_NOISE = re.compile(r"\(.*?\)|[^A-Za-z0-9 '&.-]")


@dataclass(frozen=True, slots=True)
class Corpus:
    """What rows are drawn from.

    `asked` are paragraphs with questions, in the order of their documents; `prose` are those of
    other kinds of documents; `summarized` have a summary; `reviews` are (text, label).
    """

    asked: Sequence[Paragraph]
    prose: Sequence[Paragraph]
    summarized: Sequence[Paragraph]
    reviews: Sequence[tuple[str, str]]
    rules: Rules
    verbs: Verbs


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one task type on one passage: (instruction, response) each."""

    passage: str
    task: str
    rows: tuple[tuple[str, str], ...]
    source: str


Rows = list[tuple[str, str]]


class Mixture:
    """Draws groups without end, deterministic by seed."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus, self.rng = corpus, random.Random(seed)
        self.skipped: Counter[str] = Counter()
        self._answers: dict[str, list[str]] = {}
        self._by_group: dict[str, list[Paragraph]] = {}
        for paragraph in corpus.asked:
            self._answers.setdefault(paragraph.group, []).extend(
                q.answer for q in paragraph.questions
            )
            self._by_group.setdefault(paragraph.group, []).append(paragraph)
        self._topics = [g for g in self._by_group if len(self._by_group[g]) > 3]
        self._names = ["Paris", "Monday", "Wilson"]
        self._given: Counter[tuple[str, bool]] = Counter()  # labels so far; the rarer is next
        self._make: dict[str, Callable[[Paragraph, str, tuple[Question, ...]], Rows]] = {
            "exqa": self._exqa,
            "qa": self._qa,
            "ynqa": self._ynqa,
            "mcqa": self._mcqa,
            "qg": self._qg,
            "nli": self._nli,
            "te": self._te,
            "topic_class": self._topic_class,
            "text_gen": self._text_gen,
            "paraphrase_id": self._paraphrase_id,
            "sent_comp": self._sent_comp,
        }

    def groups(self) -> Iterator[Group]:
        """Yield groups; every pass over the asked paragraphs is in an order of its own."""
        tasks, weights = list(WEIGHTS), list(WEIGHTS.values())
        decks: dict[str, Iterator[Paragraph]] = {task: iter(()) for task in tasks}
        while True:
            task = self.rng.choices(tasks, weights)[0]
            tries = 0
            while (group := self._draw(task, decks)) is None:
                self.skipped[task] += 1
                tries += 1
                if tries == _MOST_TRIES:
                    raise ValueError(f"The data holds nothing to make a row of {task} of.")
            yield group

    def _draw(self, task: str, decks: dict[str, Iterator[Paragraph]]) -> Group | None:
        if task == "sentiment":
            text, label = self.rng.choice(self.corpus.reviews)
            rows = [(self._fill(task), label)]
            return Group(text, task, tuple(rows), "rotten_tomatoes")
        if task == "summarization":
            paragraph = self.rng.choice(self.corpus.summarized)
            rows = [(self._fill(task), paragraph.summary)]
            return Group(paragraph.text, task, tuple(rows), paragraph.source)
        if task in ("ynqa", "nli", "te", "sent_comp", "paraphrase_id") and self.rng.random() < 0.3:
            paragraph = self.rng.choice(self.corpus.prose)
        else:
            paragraph = next(decks[task], None) or self._shuffle(task, decks)
        passage, questions = self._passage(paragraph)
        if not _SHORTEST <= len(passage.split()) <= _LONGEST:
            return None
        drawn = self._make[task](paragraph, passage, questions)
        if len(drawn) < (_FEWEST.get(task, 1) if paragraph.source == "squad" else 1):
            return None
        return Group(passage, task, tuple(drawn[:_MOST_ROWS]), paragraph.source)

    def _shuffle(self, task: str, decks: dict[str, Iterator[Paragraph]]) -> Paragraph:
        order = list(self.corpus.asked)
        self.rng.shuffle(order)
        decks[task] = iter(order)
        return next(decks[task])

    def _fill(self, task: str, **slots: str) -> str:
        instruction = self.rng.choice(TEMPLATES[task])
        for name, value in slots.items():
            instruction = instruction.replace("{" + name + "}", value)
        return instruction

    def _passage(self, paragraph: Paragraph) -> tuple[str, tuple[Question, ...]]:
        """The paragraph, or some of its sentences; at times under a heading or hard-wrapped."""
        text, questions = paragraph.text, paragraph.questions
        count = len(paragraph.sentences)
        if count > 3 and (self.rng.random() < 0.3 or len(text.split()) > _LONGEST):
            first = self.rng.randrange(count - 2)
            last = min(count, first + self.rng.randint(2, max(2, count // 2 + 1)))
            text = " ".join(paragraph.sentences[first:last])
            held = []
            for question in questions:
                at = holder(paragraph, question)
                if at is not None and first <= at < last:
                    held.append(question)
            questions = tuple(held)
        chance = self.rng.random()
        title = topic_name(paragraph.group)
        if chance < 0.12 and title and paragraph.source in ("squad", "qed"):
            text = f"{title}\n\n{text}"
        elif chance < 0.2:
            text = _wrapped(text, self.rng.randint(60, 90))
            questions = tuple(q for q in questions if q.answer in text)
        return text, questions

    def _shuffled(self, questions: Sequence[Question]) -> list[Question]:
        drawn = list(questions)
        self.rng.shuffle(drawn)
        return drawn

    def _exqa(self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]) -> Rows:
        return [
            (self._fill("exqa", q=q.text), q.answer)
            for q in self._shuffled(questions)
            if len(q.answer.split()) <= 14 and q.answer in passage
        ]

    def _qa(self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]) -> Rows:
        rows = []
        for question in self._shuffled(questions):
            made = forms(question.text, question.answer, self.corpus.verbs)
            if made is not None and made.statement:
                rows.append((self._fill("qa", q=question.text), made.statement))
        return rows

    def _qg(self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]) -> Rows:
        return [
            (self._fill("qg", a=q.answer), q.text)
            for q in self._shuffled(questions)
            if len(q.answer.split()) <= 8 and q.answer in passage
        ]

    def _mcqa(self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]) -> Rows:
        rows = []
        for question in self._shuffled(questions):
            options = {question.answer}
            for _ in range(12):
                other = self._wrong(paragraph, question)
                if other and not any(o.lower() in other.lower() for o in options):
                    options.add(other)
                if len(options) == 4:
                    break
            if len(options) < 4 or len(question.answer.split()) > 8:
                continue
            listed = sorted(options)
            self.rng.shuffle(listed)
            lines = "\n".join(f"({letter}) {o}" for letter, o in zip(_LETTERS, listed, strict=True))
            letter = _LETTERS[listed.index(question.answer)]
            instruction = self._fill("mcqa", q=question.text, options=lines)
            rows.append((instruction, f"({letter}) {question.answer}"))
        return rows[:3]

    def _wrong(self, paragraph: Paragraph, question: Question) -> str | None:
        own = [q.answer for q in paragraph.questions if q != question]
        others = own if self.rng.random() < 0.6 else self._answers.get(paragraph.group, own)
        return wrong_answer(question.answer, others, self.rng)

    def _judged(
        self, task: str, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]
    ) -> Iterator[tuple[Forms, bool]]:
        """Yield yes-no forms with the truth of each, half of them false; all with a statement."""
        if not questions:
            yield from self._judged_sentences(task, paragraph, passage)
            return
        for question in self._shuffled(questions):
            true = self._next_label(task)
            answer = question.answer if true else self._wrong(paragraph, question)
            made = answer and forms(question.text, answer, self.corpus.verbs)
            if made and (made.statement or task == "ynqa"):
                self._given[task, true] += 1
                yield made, true

    def _next_label(self, task: str) -> bool:
        ahead = self._given[task, True] - self._given[task, False]
        return self.rng.random() < 0.5 if ahead == 0 else ahead < 0

    def _judged_sentences(
        self, task: str, paragraph: Paragraph, passage: str
    ) -> Iterator[tuple[Forms, bool]]:
        rules = self.corpus.rules
        self._names = [*self._names, *names(passage)][-400:]
        for sentence in self.rng.sample(paragraph.sentences, len(paragraph.sentences)):
            clause = rules.clause(sentence) if sentence in passage else None
            if clause is None:
                continue
            clause, true = rules.shorten(clause), self._next_label(task)
            if not true:
                clause = rules.corrupt(clause, self._names, self.rng)
                if clause is None:
                    continue
            self._given[task, true] += 1
            yield Forms(rules.yes_no(clause), rules.statement(clause)), true

    def _ynqa(self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]) -> Rows:
        return [
            (self._fill("ynqa", q=made.question), "yes" if true else "no")
            for made, true in self._judged("ynqa", paragraph, passage, questions)
        ]

    def _te(self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]) -> Rows:
        rows = []
        for made, true in self._judged("te", paragraph, passage, questions):
            lower = self.corpus.rules.lower_first(made.statement).rstrip(".")
            instruction = self._fill("te", h=made.statement, l=lower)
            rows.append((instruction, "yes" if true else "no"))
        return rows

    def _nli(self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]) -> Rows:
        rows = [
            (self._fill("nli", h=made.statement), "entailment" if true else "contradiction")
            for made, true in self._judged("nli", paragraph, passage, questions)
        ][:2]
        near = self._by_group.get(paragraph.group, [])
        for _ in range(4):
            other = self.rng.choice(near) if len(near) > 3 else None
            if other is None or other is paragraph or not other.questions:
                continue
            question = self.rng.choice(other.questions)
            made = forms(question.text, question.answer, self.corpus.verbs)
            if made and made.statement and question.answer not in passage:
                rows.append((self._fill("nli", h=made.statement), "neutral"))
                break
        self.rng.shuffle(rows)
        return rows

    def _paraphrase_id(
        self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]
    ) -> Rows:
        """A statement beside itself with its time moved to the front, true or with a change."""
        rules, rows = self.corpus.rules, []
        self._names = [*self._names, *names(passage)][-400:]
        for sentence in paragraph.sentences:
            clause = rules.clause(sentence) if sentence in passage else None
            when = clause and re.match(
                r"^(.{8,}?),? ((?:on|in|at|within|after|before|during) [^,]{4,40})$", clause.rest
            )
            if not clause or not when:
                continue
            same, start = self._next_label("paraphrase_id"), when[2]
            parts = Clause(clause.subject, clause.aux, when[1])
            if not same:
                changed = rules.corrupt(parts, self._names, self.rng)
                if changed is None:
                    continue
                parts = changed
            self._given["paraphrase_id", same] += 1
            subject = rules.lower_first(parts.subject)
            other = f"{start[:1].upper()}{start[1:]}, {subject} {parts.aux} {parts.rest}."
            instruction = self._fill("paraphrase_id", s=rules.statement(clause), t=other)
            rows.append((instruction, "yes" if same else "no"))
        return rows[:2]

    def _sent_comp(
        self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]
    ) -> Rows:
        rows = []
        for sentence in self.rng.sample(paragraph.sentences, len(paragraph.sentences)):
            parts = sentence.split()
            if not 10 <= len(parts) <= 28 or sentence not in passage:
                continue
            cut = self.rng.randint(4, len(parts) - 4)
            instruction = self._fill("sent_comp", s=" ".join(parts[:cut]))
            rows.append((instruction, " ".join(parts[cut:])))
        return rows[:2]

    def _topic_class(
        self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]
    ) -> Rows:
        topic = topic_name(paragraph.group)
        if paragraph.group not in self._by_group or not topic or paragraph.source != "squad":
            return []
        others = [topic_name(t) for t in self.rng.sample(self._topics, 3)]
        if not all(others) or topic in others:
            return []
        options = [topic, *others]
        self.rng.shuffle(options)
        return [(self._fill("topic_class", n=", ".join(options)), topic)]

    def _text_gen(
        self, paragraph: Paragraph, passage: str, questions: tuple[Question, ...]
    ) -> Rows:
        topic = topic_name(paragraph.group)
        if len(questions) < 2 or not topic or paragraph.source not in ("squad", "qed"):
            return []
        drawn = self._shuffled(questions)[: self.rng.randint(2, 3)]
        listed = "\n".join(f"- {q.text}" for q in drawn)
        return [(self._fill("text_gen", n=topic, options=listed), "{{context}}")]


def topic_name(group: str) -> str:
    """Return a document's title as people write it; empty where it is none."""
    name = _TOPIC_NOISE.sub("", group.replace("_", " ")).strip()
    return name if 2 < len(name) < 40 else ""


def holder(paragraph: Paragraph, question: Question) -> int | None:
    """Return the sentence with the answer that shares most words with the question."""
    asked = set(re.findall(r"\w{4,}", question.text.lower()))
    best, place = -1, None
    for at, sentence in enumerate(paragraph.sentences):
        if question.answer in sentence:
            shared = len(asked & set(re.findall(r"\w{4,}", sentence.lower())))
            if shared > best:
                best, place = shared, at
    return place


def _wrapped(text: str, width: int) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])
