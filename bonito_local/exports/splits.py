"""Which split a document's rows go to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

from bonito_local.errors import UsageError

_NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "validation", "test")}


@dataclass(frozen=True, slots=True)
class Split:
    """Shares in percent: train; train and test; or train, validation and test."""

    shares: tuple[int, ...] = (100,)

    @property
    def names(self) -> tuple[str, ...]:
        """The splits, in order."""
        return _NAMES[len(self.shares)]

    def of(self, document: str) -> str:
        """The split of a document: a matter of its hash alone.

        So a document stays where it is when others come to it, and the shares hold on
        average over many.
        """
        place = _drawn(document) * 100 >> 64
        upto = 0
        for name, share in zip(self.names, self.shares, strict=True):
            upto += share
            if place < upto:
                return name
        return self.names[-1]

    def place(self, documents: Iterable[str]) -> Callable[[str], str]:
        """Return what says each document's split.

        That is `of`, unless it would leave a split empty, as with few documents: then they are
        cut in the order of their hashes, at least one for each split while there are enough.
        """
        seen, known = set[str](), set[str]()
        for document in documents:
            known.add(document)
            seen.add(self.of(document))
            if len(seen) == len(self.names):
                return self.of
        ordered = sorted(known, key=lambda document: (_drawn(document), document))
        cut = dict.fromkeys(ordered, "train")
        for name, share in zip(self.names[1:], self.shares[1:], strict=True):
            for _ in range(max(1, round(share * len(ordered) / 100))):
                if len(ordered) > 1:
                    cut[ordered.pop()] = name
        return cut.__getitem__

    def __str__(self) -> str:
        return "/".join(map(str, self.shares))


def _drawn(document: str) -> int:
    """A number in [0, 2**64), the same for the same document."""
    return int.from_bytes(blake2b(document.encode(), digest_size=8).digest(), "big")


def parse_split(text: str) -> Split:
    """Return the split that "90/5/5", "90/10" or "" (all in train) stands for.

    Raises:
        UsageError: it is not two or three whole numbers that add up to 100.
    """
    if not text.strip():
        return Split()
    parts = [part.strip() for part in text.split("/")]
    usable = len(parts) in _NAMES and all(
        p.isascii() and p.isdecimal() and len(p) <= len("100") for p in parts
    )
    shares = tuple(int(part) for part in parts) if usable else ()
    if not usable or sum(shares) != 100 or 0 in shares:
        raise UsageError(
            f"The split {text!r} is not shares that add up to 100.",
            "Write 90/10 for train and test, or 90/5/5 for train, validation and test.",
        )
    return Split(shares)
