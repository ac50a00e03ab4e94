"""Pure rules: telemetry and state in, decisions with reasons out."""
