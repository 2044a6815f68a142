"""RTF, made ready for its parser: without what stands on every page."""

from __future__ import annotations

import re

_DESTINATION = re.compile(rb"\{\\(?:header|footer)[lrf]?(?![a-z])")
_BRACE = re.compile(rb"\\[\\{}]|\\bin\d+ ?|[{}]")
# Control symbols that the parser does not know: a space and a hyphen that do not break, and a
# hyphen that is seen only where a line breaks.
_SYMBOL = re.compile(rb"\\([\\{}~_-])")
_SHOWN = {b"~": rb"\'a0", b"_": b"-", b"-": b""}


def without_running_lines(data: bytes) -> bytes:
    """Return the RTF without its headers and footers, and with plain spaces and hyphens."""
    kept, at = [], 0
    while found := _DESTINATION.search(data, at):
        kept.append(data[at : found.start()])
        at = _group_end(data, found.start())
    kept.append(data[at:])
    return _SYMBOL.sub(lambda found: _SHOWN.get(found[1], found[0]), b"".join(kept))


def _group_end(data: bytes, start: int) -> int:
    """Return where the group that opens at `start` has closed; the end where it never does."""
    depth = 0
    at = start
    while found := _BRACE.search(data, at):
        at = found.end()
        if found[0] == b"{":
            depth += 1
        elif found[0] == b"}":
            depth -= 1
            if depth == 0:
                return at
        elif found[0].startswith(b"\\bin"):
            at += int(found[0][4:])
    return len(data)
