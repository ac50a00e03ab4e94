"""Pure rules: telemetry and state in, decisions with reasons out."""

from timellm_policies.decide import decide

__all__ = ["decide"]
