"""Loads the corpus that rows and plain text are drawn from, out of one data folder."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import sources
from mix import Corpus
from rules import Rules

RECORD_SEPARATOR = "\x1e"
# Articles SQuAD's dev set and the evaluation sets could share with Wikipedia stay: only their
# questions are held out. VitaminC's pages overlap Wikipedia; the model card says so.


def wikipedia(data: Path) -> list[sources.Paragraph]:
    return list(
        sources.plain_text(data / "text/wikipedia-en-2015.txt.xz", "wikipedia", RECORD_SEPARATOR)
    )


def books(data: Path) -> list[sources.Paragraph]:
    path = data / "text/public-domain-books.txt.xz"
    return list(sources.plain_text(path, "books", RECORD_SEPARATOR))


def policies(data: Path) -> list[sources.Paragraph]:
    return [
        *sources.markdown(data / "documents/github-site-policy", "github-site-policy"),
        *sources.markdown(data / "documents/commonpaper-nda", "commonpaper-nda"),
    ]


def load(data: Path) -> tuple[Corpus, dict[str, list[sources.Paragraph]]]:
    """Return the corpus for rows, and the plain-text paragraphs by source."""
    train = data / "train"
    texts = {"wikipedia": wikipedia(data), "books": books(data), "policies": policies(data)}
    squad = list(sources.squad(train / "squad-train-v1.1.json"))
    qed = list(sources.qed(train / "qed"))
    tatqa = list(sources.tatqa(train / "tatqa"))
    scitldr = list(sources.scitldr(train / "scitldr"))
    legal = list(sources.legal(train / "legal_summarization"))
    texts |= {"tatqa": tatqa, "scitldr": scitldr, "legal": legal}
    prose = [p for p in texts["wikipedia"] if len(p.sentences) >= 2]
    domains = [*texts["policies"], *tatqa, *scitldr, *legal]
    prose += squad + domains * max(1, int(0.3 * len(prose) / len(domains)))
    sample = (p.text for p in islice(texts["wikipedia"], 60_000))
    corpus = Corpus(
        asked=[p for p in [*squad, *qed, *(tatqa * 3)] if p.questions],
        yes_no=list(sources.boolq(train / "boolq/boolq.jsonl")),
        summarized=[*scitldr, *(legal * 2)],
        reviews=list(sources.rotten_tomatoes(train / "rotten_tomatoes")),
        prose=prose,
        rules=Rules(sample),
    )
    return corpus, texts
