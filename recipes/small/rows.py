"""Writes the mix as JSON lines, for the Q-LoRA trainer."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import sources
from mixture import Corpus, Group, Mixture
from outputs import prompt
from questions import Index, is_spelt, letters, plain_clause, stands_alone
from rules import Rules
from statements import Verbs

_ODD = re.compile(r"^(?:Who|What) (?:are|were|have)\b|^Who .*-|,")
_NOTE = re.compile(r"\[[a-z ]+\??\]|:\d+(?:[–-]\d+)?(?= |$)")
_SUMMARY = re.compile(r"[A-Z]\S* (?:\S+ ){4,39}\S+\.$")
_SUMMED = 140  # most words of a text with a summary
_FARTHEST = 2  # the rank at which a question must lead back to its paragraph


def clear(
    paragraphs: Sequence[sources.Paragraph], *, all_kept: bool = False
) -> list[sources.Paragraph]:
    """Return the paragraphs with those of their questions that stand without the page.

    Paragraphs without such a question are left out, unless all are to be kept.
    """
    index = Index([p.text for p in paragraphs])
    known = {word for p in paragraphs for word in letters(p.text)}
    kept = []
    for at, paragraph in enumerate(paragraphs):
        questions = tuple(
            replace(q, text=_first_up(q.text), answer=q.answer.strip(" .,;"))
            for q in paragraph.questions
            if stands_alone(q.text)
            and is_spelt(q.text, known)
            and 0 < len(q.answer.split()) <= 14
            and index.rank(q.text, at) <= _FARTHEST
        )
        kept.append(replace(paragraph, questions=questions))
    return [p for p in kept if all_kept or p.questions]


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def asked_by_rules(paragraph: sources.Paragraph, rules: Rules) -> sources.Paragraph:
    """Return a paragraph with the questions that its plain sentences give, marked as `free`."""
    clauses = [c for c in (plain_clause(rules, s) for s in paragraph.sentences) if c]
    questions = [
        sources.Question(question, answer, free=True)
        for clause in clauses
        for question, answer in rules.spans(clause)
        if not _ODD.search(question)
        and len(question.split()) <= 18
        and 2 <= len(answer.split()) <= 10
    ]
    return replace(paragraph, questions=tuple(questions))


def without_notes(paragraph: sources.Paragraph) -> sources.Paragraph:
    """Return a paragraph of Wikipedia's without the notes of its editors."""
    clean = (_NOTE.sub("", sentence) for sentence in paragraph.sentences)
    return replace(paragraph, sentences=tuple(clean))


def load(data: Path) -> Corpus:
    """Read what `data` holds of the openly licensed sources (see recipes/tiny/sources.py)."""
    train = data / "train"
    squad = [without_notes(p) for p in sources.squad(train / "squad-train-v1.1.json")]
    tatqa = list(sources.tatqa(train / "tatqa"))
    policies = [
        *sources.markdown(data / "documents/github-site-policy", "github-site-policy"),
        *sources.markdown(data / "documents/commonpaper-nda", "commonpaper-nda"),
    ]
    scitldr = list(sources.scitldr(train / "scitldr"))
    legal = list(sources.legal(train / "legal_summarization"))
    sample = [p.text for p in squad]
    rules = Rules(sample)
    reports = [p for p in tatqa if not p.questions and len(p.sentences) >= 2]
    return Corpus(
        paragraphs={
            "squad": clear(squad),
            "tatqa": clear(tatqa),
            "policies": clear([asked_by_rules(p, rules) for p in policies], all_kept=True),
            "reports": clear([asked_by_rules(p, rules) for p in reports]),
            "summarized": [
                p
                for p in [*scitldr, *legal]
                if _SUMMARY.match(p.summary) and 25 <= len(p.text.split()) <= _SUMMED
            ],
        },
        rules=rules,
        verbs=Verbs(sample),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    mixture = Mixture(load(args.data_dir), args.seed)
    tasks: Counter[str] = Counter()
    sources_: Counter[str] = Counter()
    labels: dict[str, Counter[str]] = {}
    part = args.out.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for group in mixture.groups():
            for line in lines(group):
                print(json.dumps(line, ensure_ascii=False), file=file)
            tasks.update(row.task for row in group.rows)
            sources_[group.source] += len(group.rows)
            for row in group.rows:
                if row.label:
                    labels.setdefault(row.task, Counter())[row.label] += 1
            if tasks.total() >= args.rows:
                break
    part.replace(args.out)
    report = {"tasks": tasks, "sources": sources_, "labels": labels, "skipped": mixture.skipped}
    print(json.dumps(report, indent=1))


def lines(group: Group) -> list[dict[str, str]]:
    """Return a group's rows as the trainer reads them, one after another with one prompt."""
    shared = prompt(group.passage)
    return [
        {"input": shared, "output": row.output, "task": row.task, "source": group.source}
        for row in group.rows
    ]


if __name__ == "__main__":
    main()
