"""What the page of a command says besides its options: a few plain words, and an example."""

_WORDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "run": (
        (
            "Training is a process of its own under a supervisor: closing the terminal, or "
            "q in the dashboard, leaves it going. With --plain or --json, Ctrl+C asks for a "
            "stop after the current step; twice, now; three times, at once."
        ),
        (
            "run configs/etth1.toml",
            "run configs/etth1.toml --set train.epochs=3 --detach",
            "run --resume latest",
        ),
    ),
    "attach": (
        ("Where the supervisor was killed, a new one takes over the engine that still trains."),
        (
            "attach",
            "attach 20260131-21 --plain",
        ),
    ),
    "pause": (
        (
            "The engine, which is the process that trains, keeps its place and its memory, "
            "and stands still until resume."
        ),
        ("pause",),
    ),
    "resume": (
        (
            "Lifts your own pause. Where a rule holds the run, such as one on heat, it goes "
            "on against that rule for half an hour, or for as long as --for says; the rule "
            "may still stop it."
        ),
        (
            "resume",
            "resume latest --for 2h",
        ),
    ),
    "stop": (
        (
            "What was trained is in the checkpoint, and timellm-ops run --resume RUN goes "
            "on from it."
        ),
        (
            "stop",
            "stop --after-checkpoint --wait",
        ),
    ),
    "policy": (
        (
            "Rules pause, slow down or stop a run: for heat, power, memory, disk, battery, "
            "the clock, or because training has failed."
        ),
        ("policy show",),
    ),
    "policy show": (
        "Each rule with what it reads now, its threshold, and what it would do next.",
        (
            "policy show",
            "policy show 20260131-21 --json",
        ),
    ),
    "policy set": (
        (
            "The settings are checked as in a config, put on record, and in force at once, "
            "until the run ends. The config file stays as it is."
        ),
        (
            "policy set policy.thermal.pause_above_c=83",
            "policy set latest policy.governor.enabled=false",
        ),
    ),
    "policy simulate": (
        (
            "The rules as they are run in simulated time on a model of a card; nothing is "
            "started. Compared are no rule at all, pausing, and the governor, which holds a "
            "temperature by rests between steps (duty) or by the card's power limit "
            "(power). Where nothing says which, the card is a laptop's of 115 W in a room "
            "of 24 to 32 °C."
        ),
        (
            "policy simulate",
            "policy simulate configs/etth1.toml --ambient 28",
            "policy simulate --run latest",
        ),
    ),
    "list": (
        "Runs are kept in the folder runs, or where TIMELLM_RUNS_DIR says.",
        (
            "list",
            'list --filter "train.batch_size=4 mse<0.4"',
            "list --json",
        ),
    ),
    "compare": (
        ("A difference between single runs is no proof; the page says what can be told from them."),
        ("compare latest 20260131-21",),
    ),
    "web": (
        (
            "Prints an address with a secret in it, for this machine alone, and runs until "
            "Ctrl+C. Needs the extra packages of pip install 'timellm-ops[web]'."
        ),
        (
            "web",
            "web latest --port 8765",
        ),
    ),
    "show": (
        "State, results, checkpoints, GPU, and where its files are.",
        (
            "show",
            "show 20260131-21 --lang zh",
        ),
    ),
    "explain": (
        (
            "Numbers, shapes and sizes are those of a run, of a config, or of ETTh1 where "
            "there is neither."
        ),
        (
            "explain",
            "explain weights",
            "explain loss configs/etth1.toml",
        ),
    ),
    "report": (
        (
            "Outcome, results, where the time went, pauses, heat, checkpoints, and what to "
            "do next. Of a run that is under way, what there is so far."
        ),
        (
            "report",
            "report latest --html report.html",
        ),
    ),
    "replay": (
        "Space holds it; the dashboard's ? has the other keys.",
        (
            "replay",
            "replay latest --from 02:30:00 --speed 600",
            'replay latest --from "epoch 3"',
        ),
    ),
    "plan": (
        "Nothing is started or fetched, and no GPU is needed.",
        (
            "plan configs/etth1.toml",
            "plan configs/etth1-qwen2.5-3b.toml --gpu-memory 6",
        ),
    ),
    "evaluate": (
        (
            "Errors (MSE and MAE) by variable and by step ahead, with pictures. The run is "
            "only read, and may be going on: its best weights so far are evaluated."
        ),
        (
            "evaluate",
            "evaluate latest --split vali --no-plots",
        ),
    ),
    "predict": (
        (
            "In the data's own units. Where the input goes on after --horizon-from, what "
            "came stands beside the forecast."
        ),
        (
            "predict",
            "predict latest --input new.csv --output forecast.csv",
            "predict ./bundle --input new.csv",
        ),
    ),
    "export": (
        (
            "A folder without the optimiser and without the language model, whose digest is "
            "in it. The run may be going on."
        ),
        (
            "export",
            "export latest --to model",
        ),
    ),
    "import": (
        (
            "The published script is Time-LLM's own run_main.py. Its log becomes a run to "
            "look at and to compare; a checkpoint of it also one to evaluate and to "
            "forecast with."
        ),
        (
            "import train.log",
            "import checkpoint --config configs/etth1.toml",
            "import trainer.log --patterns hf-trainer",
        ),
    ),
    "patterns": (
        (
            "A pattern file says by regular expressions what the lines of a training "
            "program mean, so that timellm-ops can supervise it: run --engine-command ... "
            "--engine-patterns FILE."
        ),
        (
            "patterns list",
            "patterns show hf-trainer",
            "patterns check my-patterns.toml train.log",
        ),
    ),
    "config": (
        "Point an editor at the schema, and it completes and checks keys.",
        (
            "config template",
            "config show configs/etth1.toml",
            "config schema > timellm-ops.schema.json",
        ),
    ),
    "data": (
        ("Rows, columns, dates, how they are split, and everything that is wrong with them."),
        (
            "data ETTh1 --get",
            "data configs/etth1.toml",
        ),
    ),
    "doctor": (
        (
            "A line begins with ok, with NO where something is missing, or with -- where it "
            "is neither."
        ),
        (
            "doctor",
            "doctor configs/etth1.toml",
            "doctor --gpu --record card.json",
        ),
    ),
}
"""By command: the words, and arguments that can be given as they stand."""


def help_page(name: str, about: str) -> str:
    """The text above the options: what the command does, a few words more, examples."""
    words, examples = _WORDS[name]
    lines = "\n".join(f"  timellm-ops {example}" for example in examples)
    return f"{about}\n\n{words}\n\nSuch as:\n{lines}"


def examples() -> dict[str, tuple[str, ...]]:
    """The examples of every command."""
    return {name: found for name, (_, found) in _WORDS.items()}
