"""The panels of the overview as lines of toned text: pure drawings of a view."""
