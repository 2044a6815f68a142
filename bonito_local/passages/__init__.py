"""Documents to passages: find, read, split, each passage with the span it came from."""
