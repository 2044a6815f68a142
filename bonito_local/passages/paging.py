"""Pages in what kreuzberg reads: it can put a mark before each."""

from __future__ import annotations

import re

MARKER = "\n\ue000{page_num}\ue001\n"  # no text has characters for private use
_MARKED = re.compile("\n?\ue000([0-9]+)\ue001\n?")


def by_page(content: str) -> dict[int, str]:
    """Return the text of each page of a content whose pages have a `MARKER`."""
    _, *parts = _MARKED.split(content)
    return dict(zip(map(int, parts[::2]), parts[1::2], strict=True))
