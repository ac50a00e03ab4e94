"""Panels on a terminal: what `panels` draws, in the theme's colours, redrawn when it changes."""
