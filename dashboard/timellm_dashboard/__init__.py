"""What a person sees of a run: one view model, drawn on a terminal, as plain lines or as JSON."""
