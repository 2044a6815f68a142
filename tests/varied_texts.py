"""Texts that tokenizers differ on: scripts, spaces, digits, emoji, markers, in random order."""

from __future__ import annotations

import random

from tiny_checkpoint import CORPUS

from bonito_local.convert.probes import TEXTS

PIECES = [
    *"aZ09 .,;:'\"!?-_/\\|<>{}[]()@#€£ñéßøжאعक漢字かな한ไ\n\t\r",
    *("  ", "   ", "\n\n", "\r\n", "\t\t", "\u00a0", "\u3000", "\u200b", "\u200d", "e\u0301"),
    *("the", "The", " notice", "party", "'s", "'LL", "'re", "1234", "3.14", "http://", "==="),
    *("🚀", "👩‍👩‍👧", "🇩🇰", "\ufeff", "\U000e0067", "def f(x):", "return ", "<|pipe|>", "<|task|>"),
    *("<|context|>", "<|tasktype|>", "{{context}}", "<s>", "</s>", "русский", "Zürich"),
]


def varied(count: int) -> list[str]:
    """Return the probes of `verify`, the tiny tokenizers' corpus, and `count` random texts."""
    source = random.Random(5)
    made = ["".join(source.choices(PIECES, k=source.randint(1, 25))) for _ in range(count)]
    return [*TEXTS, *CORPUS, *made]
