"""The supervisor and the command line of timellm-ops. Never imports torch."""

__version__ = "0.1.0"
