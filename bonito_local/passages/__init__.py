"""Documents to passages: find, read, split, each passage with the span it came from."""

JOB_FOLDER = ".job"  # in every dataset folder that bonito-local writes
