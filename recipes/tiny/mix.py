"""The CTGA-style mix: meta-templates in the project's own words over the sources.

A `Row` is one training example: the passage, its task type, and what Bonito must write.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rules import Clause, Rules, names
from sources import Paragraph, Question

CONTEXT = "{{context}}"

TEMPLATES: dict[str, tuple[str, ...]] = {
    "exqa": (
        "Read the passage and answer the question with words from it.\n\n"
        "{{context}}\n\nQuestion: {q}",
        "{{context}}\n\nUsing only the text above, answer this question: {q}",
        "Text: {{context}}\n\nAnswer with a span of the text. {q}",
    ),
    "qa": (
        "{{context}}\n\nAnswer the question in your own words: {q}",
        "{q}\n\nFind the answer here: {{context}}",
    ),
    "ynqa": (
        "{{context}}\n\nAnswer yes or no: {q}",
        "Passage: {{context}}\n\nQuestion: {q} Yes or no?",
    ),
    "mcqa": (
        "{{context}}\n\n{q} Choose one of the options.\n{options}",
        "Read the text and pick the right option.\n\n{{context}}\n\nQuestion: {q}\n{options}",
    ),
    "qg": (
        'Write a question about the text whose answer is "{a}".\n\n{{context}}',
        '{{context}}\n\nAsk a question that "{a}" would answer.',
    ),
    "nli": (
        "{{context}}\n\nStatement: {h}\n"
        "Is the statement an entailment, a contradiction or neutral?",
        'Premise: {{context}}\n\nHypothesis: "{h}"\nEntailment, contradiction or neutral?',
    ),
    "te": (
        "{{context}}\n\nDoes it follow that: {h} Answer yes or no.",
        'Text: {{context}}\n\nIs this entailed by the text? "{h}" Yes or no?',
    ),
    "summarization": (
        "Summarize the text in one sentence.\n\n{{context}}",
        "{{context}}\n\nWhat is the main point of this text?",
    ),
    "sentiment": (
        "{{context}}\n\nIs the tone of this text positive or negative?",
        "Text: {{context}}\n\nDoes the writer sound positive or negative?",
    ),
    "paraphrase_id": ("Do these two sentences mean the same?\n1. {s}\n2. {t}\nAnswer yes or no.",),
    "sent_comp": ("{{context}}\n\nComplete the sentence as in the text: {s}",),
}

# Rows drawn per task type, out of 100: extraction first, for the product's main use.
WEIGHTS = {
    "exqa": 40,
    "ynqa": 17,
    "mcqa": 6,
    "qg": 7,
    "qa": 6,
    "nli": 6,
    "te": 5,
    "summarization": 4,
    "sentiment": 3,
    "paraphrase_id": 3,
    "sent_comp": 3,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One example: `instruction` holds `{{context}}` where the passage goes."""

    passage: str
    task: str
    instruction: str
    response: str
    source: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """What rows are drawn from; `prose` are paragraphs of every domain, weighted by repetition."""

    asked: list[Paragraph]
    yes_no: list[Paragraph]
    summarized: list[Paragraph]
    reviews: list[tuple[str, str]]
    prose: list[Paragraph]
    rules: Rules


class Mixer:
    """Draws rows without end, deterministic by seed."""

    def __init__(self, corpus: Corpus, seed: int, max_words: int = 90) -> None:
        self.corpus, self.rng, self.max_words = corpus, random.Random(seed), max_words
        self.human_share = 0.1  # of questions people wrote, where rules could write one too
        self.dropped: Counter[str] = Counter()
        self._name_pool: list[str] = ["Paris", "Monday", "Wilson"]
        self._make: dict[str, Callable[[], Row | None]] = {
            "exqa": self.exqa,
            "qa": self.qa,
            "ynqa": self.ynqa,
            "mcqa": self.mcqa,
            "qg": self.qg,
            "nli": self.nli,
            "te": self.te,
            "summarization": self.summarization,
            "sentiment": self.sentiment,
            "paraphrase_id": self.paraphrase_id,
            "sent_comp": self.sent_comp,
        }

    def rows(self) -> Iterator[Row]:
        tasks, weights = list(WEIGHTS), list(WEIGHTS.values())
        while True:
            task = self.rng.choices(tasks, weights)[0]
            row = self._make[task]()
            if row is None or not row.response.strip():
                self.dropped[task] += 1
                continue
            yield row

    def _row(
        self, paragraph: Paragraph, passage: str, task: str, response: str, **slots: str
    ) -> Row:
        instruction = self.rng.choice(TEMPLATES[task])
        for name, value in slots.items():
            instruction = instruction.replace("{" + name + "}", value)
        return Row(passage, task, instruction, response, paragraph.source)

    def _window(self, paragraph: Paragraph, centre: int) -> str:
        """Sentences around `centre`, of a length drawn between 25 words and the most."""
        rng, words = self.rng, [len(s.split()) for s in paragraph.sentences]
        want = rng.randint(25, self.max_words)
        first = last = centre
        total = words[centre]
        while total < want:
            options = []
            if first > 0 and total + words[first - 1] <= self.max_words:
                options.append(-1)
            if last + 1 < len(words) and total + words[last + 1] <= self.max_words:
                options.append(1)
            if not options:
                break
            if rng.choice(options) < 0:
                first -= 1
                total += words[first]
            else:
                last += 1
                total += words[last]
        return " ".join(paragraph.sentences[first : last + 1])

    def _holder(self, paragraph: Paragraph, question: Question) -> int | None:
        """The sentence with the answer that shares most words with the question."""
        asked = set(re.findall(r"\w{4,}", question.text.lower()))
        best, found = -1, None
        for i, sentence in enumerate(paragraph.sentences):
            if question.answer in sentence and len(sentence.split()) <= self.max_words:
                shared = len(asked & set(re.findall(r"\w{4,}", sentence.lower())))
                if shared > best:
                    best, found = shared, i
        return found

    def _human(self) -> tuple[Paragraph, Question, str] | None:
        paragraph = self.rng.choice(self.corpus.asked)
        question = self.rng.choice(paragraph.questions)
        centre = self._holder(paragraph, question)
        if centre is None or len(question.answer.split()) > 15:
            return None
        return paragraph, question, self._window(paragraph, centre)

    def _clause(self) -> tuple[Paragraph, Clause, str] | None:
        """A plain sentence of any prose, with the window around it."""
        for _ in range(8):
            paragraph = self.rng.choice(self.corpus.prose)
            centre = self.rng.randrange(len(paragraph.sentences))
            clause = self.corpus.rules.clause(paragraph.sentences[centre])
            if clause is not None:
                window = self._window(paragraph, centre)
                if len(window.split()) >= 15:
                    found = names(window)
                    if found:
                        self._name_pool.append(self.rng.choice(found))
                        self._name_pool = self._name_pool[-400:]
                    return paragraph, clause, window
        return None

    def _span(self) -> tuple[Paragraph, Question, str] | None:
        drawn = self._clause()
        if drawn is None:
            return None
        paragraph, clause, window = drawn
        pairs = self.corpus.rules.spans(clause)
        if not pairs:
            return None
        # The last pairs are the rarer kinds (when, where, why): prefer them to who/what.
        q, a = pairs[-1] if self.rng.random() < 0.7 else self.rng.choice(pairs)
        return (paragraph, Question(q, a), window) if a in window else None

    def exqa(self) -> Row | None:
        drawn = self._human() if self.rng.random() < self.human_share else self._span()
        if drawn is None:
            return None
        paragraph, question, window = drawn
        return self._row(paragraph, window, "exqa", question.answer, q=question.text)

    def qa(self) -> Row | None:
        drawn = self._human() if self.rng.random() < self.human_share else self._span()
        if drawn is None:
            return None
        paragraph, question, window = drawn
        answer = question.answer[:1].upper() + question.answer[1:]
        return self._row(paragraph, window, "qa", answer.rstrip(".") + ".", q=question.text)

    def qg(self) -> Row | None:
        drawn = self._human() if self.rng.random() < self.human_share else self._span()
        if drawn is None:
            return None
        paragraph, question, window = drawn
        return self._row(paragraph, window, "qg", question.text, a=question.answer)

    def mcqa(self) -> Row | None:
        drawn = self._human()
        if drawn is None:
            return None
        paragraph, question, window = drawn
        others = {q.answer for q in paragraph.questions} | set(names(window))
        others = {o for o in others if o not in question.answer and question.answer not in o}
        if len(others) < 3:
            return None
        size = len(question.answer)
        near = sorted(sorted(others), key=lambda o: abs(len(o) - size))[:5]
        options = [*self.rng.sample(near, 3), question.answer]
        self.rng.shuffle(options)
        listed = "\n".join(f"- {o}" for o in options)
        return self._row(
            paragraph, window, "mcqa", question.answer, q=question.text, options=listed
        )

    def _judged(self, true: bool) -> tuple[Paragraph, Clause, str] | None:
        drawn = self._clause()
        if drawn is None:
            return None
        paragraph, clause, window = drawn
        clause = self.corpus.rules.shorten(clause)
        if true:
            return paragraph, clause, window
        changed = self.corpus.rules.corrupt(clause, self._name_pool, self.rng)
        return (paragraph, changed, window) if changed else None

    def ynqa(self) -> Row | None:
        if self.rng.random() < 0.08:
            paragraph = self.rng.choice(self.corpus.yes_no)
            if len(paragraph.text.split()) > self.max_words:
                return None
            question = paragraph.questions[0]
            return self._row(paragraph, paragraph.text, "ynqa", question.answer, q=question.text)
        true = self.rng.random() < 0.36  # false ones are dropped more often: the result is even
        drawn = self._judged(true)
        if drawn is None:
            return None
        paragraph, clause, window = drawn
        answer = "yes" if true else "no"
        return self._row(paragraph, window, "ynqa", answer, q=self.corpus.rules.yes_no(clause))

    def _statement(self, label: str) -> tuple[Paragraph, str, str] | None:
        drawn = self._judged(label != "contradiction")
        if drawn is None:
            return None
        paragraph, clause, window = drawn
        if label == "neutral":
            other = self._clause()
            if other is None:
                return None
            clause = other[1]
        return paragraph, window, self.corpus.rules.statement(clause)

    def nli(self) -> Row | None:
        label = self.rng.choices(("entailment", "contradiction", "neutral"), (1, 1.8, 1))[0]
        drawn = self._statement(label)
        return drawn and self._row(drawn[0], drawn[1], "nli", label, h=drawn[2])

    def te(self) -> Row | None:
        true = self.rng.random() < 0.42
        label = "entailment" if true else self.rng.choice(("contradiction", "neutral"))
        drawn = self._statement(label)
        return drawn and self._row(drawn[0], drawn[1], "te", "yes" if true else "no", h=drawn[2])

    def summarization(self) -> Row | None:
        if self.rng.random() < 0.35:
            paragraph = self.rng.choice(self.corpus.summarized)
            if len(paragraph.text.split()) > 1.4 * self.max_words:
                return None
            return self._row(paragraph, paragraph.text, "summarization", paragraph.summary)
        paragraph = self.rng.choice(self.corpus.prose)
        centre = self.rng.randrange(len(paragraph.sentences))
        if len(paragraph.sentences[centre].split()) > self.max_words:
            return None
        window = self._window(paragraph, centre)
        parts = re.split(r"(?<=[.!?]) (?=[A-Z])", window)
        if len(parts) < 3:
            return None
        counts = Counter(re.findall(r"\w{4,}", window.lower()))

        def centrality(sentence: str) -> float:
            words = set(re.findall(r"\w{4,}", sentence.lower()))
            return sum(counts[w] - 1 for w in words) / (4 + len(words))

        best = max(parts, key=centrality)
        if not 6 <= len(best.split()) <= 28:
            return None
        return self._row(paragraph, window, "summarization", best)

    def sentiment(self) -> Row | None:
        text, label = self.rng.choice(self.corpus.reviews)
        if len(text.split()) < 6:
            return None
        return Row(
            text, "sentiment", self.rng.choice(TEMPLATES["sentiment"]), label, "rotten_tomatoes"
        )

    def paraphrase_id(self) -> Row | None:
        drawn = self._clause()
        if drawn is None:
            return None
        paragraph, clause, window = drawn
        rules = self.corpus.rules
        same = self.rng.random() < 0.45
        if same:
            when = re.match(
                r"^(.{8,}?),? ((?:on|in|at|within|after|before|during) [^,]{4,40})$", clause.rest
            )
            if when is None:
                return None
            start = when[2][:1].upper() + when[2][1:]
            other = f"{start}, {rules.lower_first(clause.subject)} {clause.aux} {when[1]}."
        else:
            changed = rules.corrupt(clause, self._name_pool, self.rng)
            if changed is None:
                return None
            other = rules.statement(changed)
        answer = "yes" if same else "no"
        return self._row(
            paragraph, window, "paraphrase_id", answer, s=rules.statement(clause), t=other
        )

    def sent_comp(self) -> Row | None:
        paragraph = self.rng.choice(self.corpus.prose)
        centre = self.rng.randrange(len(paragraph.sentences))
        words = paragraph.sentences[centre].split()
        if not 10 <= len(words) <= 28:
            return None
        cut = self.rng.randint(4, len(words) - 4)
        window = self._window(paragraph, centre)
        return self._row(
            paragraph, window, "sent_comp", " ".join(words[cut:]), s=" ".join(words[:cut])
        )
