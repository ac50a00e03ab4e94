"""The seventeen questions about a run, answered with its own numbers, in English and Chinese."""
