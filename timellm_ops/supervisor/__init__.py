"""Keeps one run: receives what happened, reduces it to a state, decides, and acts.

`core` is pure: a turn's inputs and the time go in, events and effects come out. `loop` is the
shell around it that reads streams, probes and sockets, writes the journal and touches the engine.
"""
