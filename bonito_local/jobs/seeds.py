"""Hashes and seeds that a resumed job, or another machine, derives again."""

from __future__ import annotations

from hashlib import blake2b, sha256


def passage_hash(text: str) -> str:
    """Return the SHA-256 of a passage's stripped text, in hex: its identity in a job."""
    return sha256(text.strip().encode()).hexdigest()


def sample_seed(job_seed: int, passage_hash: str, task: str, index: int, attempt: int = 0) -> int:
    """Return the seed of one sample, in [0, 2**31).

    It depends on what is asked and on nothing else: not on the order of the
    passages, the other tasks, or the machine. 31 bits fit every engine. `attempt`
    counts how often the sample was asked for again.
    """
    key = f"{job_seed}\0{passage_hash}\0{task}\0{index}"
    if attempt:
        key += f"\0{attempt}"
    return int.from_bytes(blake2b(key.encode(), digest_size=4).digest(), "big") >> 1
