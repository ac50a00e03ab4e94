"""A log of any size: its lines without holding them, searching, and what of it is seen."""
