"""Writes texts of the kinds that people wrote no questions on, for a larger model to write rows of.

Abstracts, policies, terms of service, reports and narrative: windows of whole sentences, one to a
file, all of sources that may be trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from random import Random

import sources

_LEAST, _MOST = 45, 170  # words


def window(sentences: Sequence[str], rng: Random) -> str:
    """Return neighbouring sentences of at most `_MOST` words, from a random one on."""
    text: list[str] = []
    for sentence in sentences[rng.randrange(max(1, len(sentences) - 4)) :]:
        if len(" ".join([*text, sentence]).split()) > _MOST:
            break
        text.append(sentence)
    return " ".join(text)


def kinds(data: Path) -> dict[str, list[sources.Paragraph]]:
    """Return the paragraphs of each kind that `data` holds."""
    train = data / "train"
    books = data / "text" / "public-domain-books.txt.xz"
    return {
        "abstract": list(sources.scitldr(train / "scitldr")),
        "policy": list(sources.markdown(data / "documents/github-site-policy", "policy")),
        "terms": list(sources.legal(train / "legal_summarization")),
        "report": list(sources.tatqa(train / "tatqa")),
        "book": list(sources.plain_text(books, "book", "\x1e")) if books.exists() else [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=int, default=65, help="Texts of each kind.")
    args = parser.parse_args()
    rng = Random(11)
    args.out.mkdir(parents=True, exist_ok=True)
    for kind, paragraphs in kinds(args.data_dir).items():
        texts = [window(p.sentences, rng) for p in rng.sample(paragraphs, len(paragraphs))]
        long = [text for text in dict.fromkeys(texts) if len(text.split()) >= _LEAST]
        for at, text in enumerate(long[: args.each]):
            (args.out / f"{at:03}-{kind}.txt").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
