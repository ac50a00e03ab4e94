"""The report of a run: sections of cells, and the page that needs nothing else. Pure."""
