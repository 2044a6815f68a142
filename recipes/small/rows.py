"""Writes the mix as JSON lines in Bonito's prompt format, for the Q-LoRA trainer."""

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
from questions import Index, stands_alone
from rules import Rules
from statements import Verbs

from bonito_local.tasks import PIPE, format_prompt, task_type

_FARTHEST = 2  # the rank at which a question must lead back to its paragraph


def cased(question: str, text: str) -> str:
    """Return a question in lower case with the names of `text` in capitals (QED's have none)."""
    if question[1:] != question[1:].lower():
        return question
    capital = set(re.findall(r"(?<=[\w,;(\"] )[A-Z][\w'-]*", text))
    plain = set(re.findall(r"\b[a-z][\w'-]*", text))
    names = {w.lower(): w for w in capital if w.lower() not in plain}
    return re.sub(r"[\w'-]+", lambda m: names.get(m[0], m[0]), question)


def clear(paragraphs: Sequence[sources.Paragraph]) -> list[sources.Paragraph]:
    """Return the paragraphs with those of their questions that stand without the page."""
    index = Index([p.text for p in paragraphs])
    kept = []
    for at, paragraph in enumerate(paragraphs):
        questions = tuple(
            replace(q, text=_first_up(cased(q.text, paragraph.text)), answer=q.answer.strip(" .,;"))
            for q in paragraph.questions
            if stands_alone(q.text)
            and 0 < len(q.answer.split()) <= 14
            and index.rank(q.text, at) <= _FARTHEST
        )
        kept.append(replace(paragraph, questions=questions))
    return [p for p in kept if p.questions]


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def load(data: Path) -> Corpus:
    """Read what `data` holds of the openly licensed sources (see recipes/tiny/sources.py)."""
    train = data / "train"
    squad = list(sources.squad(train / "squad-train-v1.1.json"))
    qed = list(sources.qed(train / "qed"))
    tatqa = list(sources.tatqa(train / "tatqa"))
    policies = [
        *sources.markdown(data / "documents/github-site-policy", "github-site-policy"),
        *sources.markdown(data / "documents/commonpaper-nda", "commonpaper-nda"),
    ]
    scitldr = list(sources.scitldr(train / "scitldr"))
    legal = list(sources.legal(train / "legal_summarization"))
    sample = [p.text for p in squad]
    return Corpus(
        asked=[*clear(squad), *clear(qed), *clear(tatqa)],
        prose=[p for p in [*policies * 3, *tatqa, *scitldr] if len(p.sentences) >= 2],
        summarized=[
            p for p in [*scitldr, *legal] if p.summary and 25 <= len(p.text.split()) <= 220
        ],
        reviews=list(sources.rotten_tomatoes(train / "rotten_tomatoes")),
        rules=Rules(sample),
        verbs=Verbs(sample),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    mixture = Mixture(load(args.data_dir), args.seed)
    tasks: Counter[str] = Counter()
    sources_: Counter[str] = Counter()
    labels: dict[str, Counter[str]] = {}
    count = 0
    part = args.out.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for group in mixture.groups():
            for line in lines(group):
                print(json.dumps(line, ensure_ascii=False), file=file)
            count += len(group.rows)
            tasks[group.task] += len(group.rows)
            sources_[group.source] += len(group.rows)
            if group.task in ("ynqa", "nli", "te", "sentiment", "paraphrase_id"):
                labels.setdefault(group.task, Counter()).update(r for _, r in group.rows)
            if count >= args.rows:
                break
    part.replace(args.out)
    report = {"tasks": tasks, "sources": sources_, "labels": labels, "skipped": mixture.skipped}
    print(json.dumps(report, indent=1))


def lines(group: Group) -> list[dict[str, str]]:
    """Return a group's rows as the trainer reads them, one after another with one prompt."""
    prompt = format_prompt(task_type(group.task), group.passage)
    return [
        {
            "input": prompt,
            "output": f"{instruction}\n{PIPE}\n{response}",
            "task_type": group.task,
            "source": group.source,
        }
        for instruction, response in group.rows
    ]


if __name__ == "__main__":
    main()
