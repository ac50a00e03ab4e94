"""The training engine: Time-LLM, launched as a process of its own and never imported by the rest."""
