"""Two themes. Their tones stay apart for colour-blind eyes, which a test simulates."""

from textual.theme import Theme

DARK = Theme(
    name="timellm-dark",
    primary="#6CB8F0",
    secondary="#4A7FA8",
    accent="#6CB8F0",
    foreground="#D7DCE2",
    background="#11151A",
    surface="#161B21",
    panel="#1E252D",
    success="#2DBE91",
    warning="#E69F00",
    error="#FF7A45",
    dark=True,
    variables={
        "tone-muted": "#8691A0",
        "tone-accent": "#6CB8F0",
        "tone-good": "#2DBE91",
        "tone-busy": "#E6A4CC",
        "tone-held": "#F0B429",
        "tone-bad": "#FF7A45",
        "tone-done": "#6CB8F0",
        "rule": "#2C3540",
        "rule-title": "#A9B4C2",
    },
)

LIGHT = Theme(
    name="timellm-light",
    primary="#0062A3",
    secondary="#4A7FA8",
    accent="#0062A3",
    foreground="#1B2128",
    background="#FAFBFC",
    surface="#F1F3F6",
    panel="#E6EAEF",
    success="#00735A",
    warning="#8F5600",
    error="#A8003B",
    dark=False,
    variables={
        "tone-muted": "#5D6875",
        "tone-accent": "#0062A3",
        "tone-good": "#00735A",
        "tone-busy": "#7A2A70",
        "tone-held": "#8F5600",
        "tone-bad": "#A8003B",
        "tone-done": "#0062A3",
        "rule": "#C6CDD6",
        "rule-title": "#3F4A57",
    },
)
