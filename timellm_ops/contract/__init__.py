"""The vocabulary every room shares: config, events, telemetry, control, commands, state.

Frozen values and pure functions only: no input or output, no clock, and no import of any
other room. Engine, supervisor, policies and dashboard meet here and nowhere else.
"""
