"""The one view of a run at a moment, part by part, as values and as texts. Pure."""
