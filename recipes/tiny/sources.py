"""Readers of the openly licensed data that bonito-tiny learns from.

Each yields passages (lists of sentences) with questions where the source has them.
Licences: SQuAD CC BY-SA 4.0; QED and BoolQ CC BY-SA 3.0; SciTLDR Apache-2.0; TAT-QA CC BY 4.0;
legal_summarization Apache-2.0; rotten_tomatoes CC BY 4.0; Wikipedia CC BY-SA 3.0; books public
domain; GitHub's site policies CC0; Common Paper's NDA CC BY 4.0.
"""

from __future__ import annotations

import html
import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=[\"'(\[]?[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|vs|No|Inc|Ltd|Co|Jr|Sr|Prof|Gen|Gov|Lt|Col|Rev|e\.g|i\.e|c|ca|approx)"
    r"|\b[A-Z])\.$"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question on a paragraph; `answer` stands in its text unless `free` is true."""

    text: str
    answer: str
    free: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of one source, cut into sentences; `group` names its document."""

    sentences: tuple[str, ...]
    source: str
    group: str
    questions: tuple[Question, ...] = ()
    summary: str = ""

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def sentences(text: str) -> tuple[str, ...]:
    """Split prose into sentences; good enough for making rows, not for publishing."""
    parts: list[str] = []
    for piece in _SENTENCE_END.split(" ".join(text.split())):
        if parts and (_ABBREVIATION.search(parts[-1]) or len(parts[-1]) < 15):
            parts[-1] += " " + piece
        elif piece:
            parts.append(piece)
    return tuple(parts)


def squad(path: Path) -> Iterator[Paragraph]:
    for article in json.loads(path.read_text())["data"]:
        for paragraph in article["paragraphs"]:
            questions = tuple(
                Question(qa["question"].strip(), qa["answers"][0]["text"])
                for qa in paragraph["qas"]
                if qa["answers"] and 8 < len(qa["question"]) < 160
            )
            yield Paragraph(sentences(paragraph["context"]), "squad", article["title"], questions)


def detokenize(text: str) -> str:
    """Undo Penn Treebank spacing: QED's paragraphs are tokenized."""
    text = text.replace("`` ", '"').replace(" ''", '"').replace("``", '"').replace("''", '"')
    text = re.sub(r" ([.,;:!?%)\]])", r"\1", text)
    text = re.sub(r"([(\[$£€]) ", r"\1", text)
    text = re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1", text)
    return re.sub(r" ([-/]) (?=\w)", r"\1", text.replace(" -- ", "–"))


def qed(folder: Path) -> Iterator[Paragraph]:
    for path in sorted(folder.glob("nq-train-*.jsonlines")):
        for line in path.read_text().splitlines():
            item = json.loads(line)
            text, answer = detokenize(item["paragraph_text"]), detokenize(item["answer_text"][0])
            question = item["question_text"].strip().capitalize() + "?"
            if answer in text and len(answer.split()) <= 12:
                yield Paragraph(
                    sentences(text), "qed", item["title_text"], (Question(question, answer),)
                )


def boolq(path: Path) -> Iterator[Paragraph]:
    for line in path.read_text().splitlines():
        item = json.loads(line)
        question = item["question"].strip().capitalize() + "?"
        answer = "yes" if item["answer"] else "no"
        text = item["passage"].replace("``", '"').replace("''", '"')
        yield Paragraph(
            sentences(text), "boolq", question, (Question(question, answer, free=True),)
        )


def scitldr(folder: Path) -> Iterator[Paragraph]:
    for line in (folder / "train.jsonl").read_text().splitlines():
        item = json.loads(line)
        yield Paragraph(
            tuple(item["source"]), "scitldr", item["paper_id"], summary=item["target"][0]
        )


def legal(folder: Path) -> Iterator[Paragraph]:
    for key, item in json.loads((folder / "all_v1.json").read_text()).items():
        text, summary = item["original_text"].strip(), item["reference_summary"].strip()
        if 12 <= len(text.split()) <= 130 and len(summary.split()) >= 4:
            text = ". ".join(part[:1].upper() + part[1:] for part in text.split(". "))
            summary = summary[:1].upper() + summary[1:]
            yield Paragraph(sentences(text), "legal_summarization", key, summary=summary)


def tatqa(folder: Path) -> Iterator[Paragraph]:
    for name in ("tatqa_dataset_dev.json", "tatqa_dataset_test_gold.json"):
        for item in json.loads((folder / name).read_text()):
            texts = [p["text"] for p in item["paragraphs"]]
            asked: dict[int, list[Question]] = {}
            for q in item["questions"]:
                answer = q.get("answer")
                if isinstance(answer, list) and len(answer) == 1:
                    answer = answer[0]
                if not isinstance(answer, str) or not answer or len(answer.split()) > 20:
                    continue
                holders = [i for i, text in enumerate(texts) if answer in text]
                if q.get("answer_from") == "text" and len(holders) == 1:
                    asked.setdefault(holders[0], []).append(Question(q["question"], answer))
            for i, text in enumerate(texts):
                if len(text.split()) > 15:
                    group = item["table"]["uid"]
                    yield Paragraph(sentences(text), "tatqa", group, tuple(asked.get(i, ())))


def rotten_tomatoes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (review sentence, "positive" or "negative")."""
    for name, label in (("rt-polarity.pos", "positive"), ("rt-polarity.neg", "negative")):
        for line in (folder / name).read_text(encoding="latin-1").splitlines():
            text = re.sub(r"\bi\b", "I", detokenize(line.strip()))
            yield text[:1].upper() + text[1:], label


def plain_text(path: Path, source: str, separator: str) -> Iterator[Paragraph]:
    """Paragraphs of 25 words and more from an .xz text whose documents `separator` parts."""
    with lzma.open(path, "rt", encoding="utf-8", errors="replace") as file:
        group = 0
        block: list[str] = []
        for line in file:
            stripped = line.strip()
            if stripped == separator:
                group += 1
            if source == "books" and stripped:
                block.append(stripped)  # hard-wrapped: an empty line ends a paragraph
                continue
            text = " ".join(block) if source == "books" else stripped
            block = []
            if len(text.split()) >= 25 and not text.startswith("|"):
                yield Paragraph(sentences(text), source, f"{source}{group}")


def markdown(folder: Path, source: str) -> Iterator[Paragraph]:
    """Prose paragraphs and list items of Markdown policies and contracts."""
    for path in sorted(folder.rglob("*.md")):
        text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"\{%.*?%\}|</?\w[^>]*>", "", text)
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
        text = html.unescape(re.sub(r"[*_`]+", "", text))
        merged = ""
        for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.)\s)", text):
            block = re.sub(r"^\s*(?:[-*>]|\d+\.|#+)\s+", "", " ".join(block.split()))
            if len(block.split()) < 5 or "|" in block:
                continue
            merged = f"{merged} {block}".strip()
            if len(merged.split()) >= 40:
                yield Paragraph(sentences(merged), source, path.stem)
                merged = ""
