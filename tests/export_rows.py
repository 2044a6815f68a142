"""Rows, and what a job says of itself, for the tests of exports."""

from __future__ import annotations

from typing import Any

from bonito_local.exports.account import Account
from bonito_local.exports.row import Row

COUNTS = (
    ("qa", "accepted", "", 2),
    ("qa", "rejected", "response is empty", 1),
    ("qa", "failed", "engine said Secret", 1),
)


def row(at: int, **other: Any) -> Row:
    """Row number `at`, with text that is hard to write."""
    values: dict[str, Any] = {
        "id": f"{at:016x}-qa-0",
        "input": f"Q{at}: \u00fcber {{x}}\nline | 2?",
        "output": "A",
        "task_type": "qa",
        "passage": "P <|task|>",
        "source": "a b.txt",
        "source_sha256": "0" * 64,
        "page": None,
        "start": at,
        "end": at + 5,
        "heading": "1 > a",
        "evidence": "",
        "evidence_start": None,
        "evidence_end": None,
        "passage_sha256": "1" * 64,
        "model": "tiny",
        "model_sha256": "2" * 64,
        "quantization": "Q8_0",
        "backend": "llamacpp",
        "temperature": 0.5,
        "top_p": 0.95,
        "max_tokens": 256,
        "seed": 2**31 - 1,
        "sample": at,
        "version": "0.1.0",
        "outcome": "accepted",
        "reason": "",
        "agreement": None,
        "support": None,
        "gain": None,
        "decision": "",
        "decision_reason": "",
        "edited": False,
        "score": None,
        "tags": "",
        "note": "",
    }
    return Row(**values | other)


def account(**other: Any) -> Account:
    """A job's account of itself; the text of its failure is a secret."""
    values: dict[str, Any] = {
        "name": "the-job",
        "settings": {"model": "tiny", "seed": 0, "backend": "llamacpp"},
        "counts": COUNTS,
        "ledger": {
            "planned": 4,
            "outcomes": {"accepted": 2, "rejected": 1, "duplicate": 0, "failed": 1},
            "tasks": {"qa": {"accepted": 2, "rejected": 1, "failed": 1}},
            "reasons": [
                {"outcome": "rejected", "reason": "response is empty", "samples": 1},
                {"outcome": "failed", "reason": "engine said Secret", "samples": 1},
            ],
        },
        "problems": ({"source": "x.pdf", "title": "It is empty.", "remedy": "Remove it."},),
        "documents": 1,
        "passages": 4,
        "air_gap": ("seccomp filter",),
        "versions": ("0.1.0",),
    }
    return Account(**values | other)
