"""Which commands there are, and the page that lists them, which needs no parser to be loaded."""

COMMANDS = {
    "run": ("running:run", "Start a run, or resume one, and watch it."),
    "attach": ("running:attach", "Watch a run again; replaces a supervisor that is gone."),
    "pause": ("control:pause", "Hold the engine between two steps."),
    "resume": ("control:resume", "Let a paused run go on."),
    "stop": ("control:stop", "End a run: save at the next step, verify it on disk, stop."),
    "policy": ("policy:app", "A run's rules: how they stand, other thresholds, a rehearsed night."),
    "list": ("listing:list_runs", "All runs, newest last."),
    "compare": ("comparing:compare", "Two or more runs: what differs, in config and results."),
    "web": ("web:web", "The dashboard in a browser on this machine, to look at only."),
    "show": ("listing:show", "One run on one page."),
    "explain": ("explaining:explain", "Seventeen questions on training, with a run's own numbers."),
    "report": ("reporting:report", "What is left of a run: text, HTML with plots, JSON."),
    "replay": ("replaying:replay", "A past run through the dashboard, at any speed."),
    "plan": ("plan:plan", "What a run would come to: steps, weights, memory, files, time."),
    "evaluate": ("evaluating:evaluate", "How good a run's model is, beside simple baselines."),
    "predict": ("predicting:predict", "What a run's model expects next, with timestamps."),
    "export": ("exporting:export", "The trained model for inference alone, in a few MiB."),
    "import": (
        "importing:import_log",
        "Make a run of a log or a checkpoint of the published script.",
    ),
    "patterns": (
        "patterns:patterns",
        "What the output of other training programs means: list, show, check.",
    ),
    "config": (
        "configuring:config",
        "Every key of a config: as a schema, as a template, of a file.",
    ),
    "data": ("data:data", "Check a data set, or download it: dates, splits, windows."),
    "doctor": ("doctor:doctor", "What is here: GPU, data, backbone, disk."),
}
"""By name: where the command is, as `module:function` of this package, and what it does."""

ABOUT = "Train Time-LLM under supervision: thermal policies, exact run records, a dashboard."

ASKS_FOR_IT: tuple[list[str], ...] = ([], ["--help"], ["-h"])
"""The arguments that this page answers."""


def overview() -> str:
    """All commands, one a line, and how to go on."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        (
            "Usage: timellm-ops COMMAND [ARGS]",
            "",
            ABOUT,
            "",
            "Commands:",
            *lines,
            "",
            "  --help, -h   This page; timellm-ops COMMAND --help explains a command.",
            "  --version    The version.",
            "",
            "Exit codes: 0 done; 2 bad input; 3 not possible here (data, backbone, disk, GPU);",
            "  4 training failed; 5 stopped to protect the hardware; 130 Ctrl+C.",
            "",
            "To begin: timellm-ops run configs/quickstart.toml",
        )
    )
