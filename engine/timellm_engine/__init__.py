"""The training engine: Time-LLM, launched as a process of its own, never imported by the rest."""
