"""Processes and the files they meet over: identity, trees, signals, locks, atomic replacement."""
