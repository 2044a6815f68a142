"""Documents to passages: find, read, split, each passage with the span it came from."""

from bonito_local.passages.reader import iter_passages
from bonito_local.passages.types import Document, Passage, Problem, Text

__all__ = ["Document", "Passage", "Problem", "Text", "iter_passages"]
