"""A run on record, as if it went on now, and pictures of it."""
