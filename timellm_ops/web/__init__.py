"""The dashboard in a browser on the same machine: to look at only, and for one person only."""
