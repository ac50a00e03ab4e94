"""`run` and `attach`: start a run or take one up again, and watch it."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shlex import join
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from timellm_ops.adapters import PUBLISHED
from timellm_ops.adapters.pattern_file import load_patterns
from timellm_ops.app import Order, SupervisorFailed, start_supervisor
from timellm_ops.cli.detaching import wait_until_under_way
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Ascii, Json, Lang, Overrides, Plain, RunRef, Style, style_of
from timellm_ops.cli.runs import ensure_supervised, state_of
from timellm_ops.cli.watching import listen, watch
from timellm_ops.cli.watching_texts import watching_texts
from timellm_ops.client import RunClient
from timellm_ops.configfile import foreign_config, read_config
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import ConfigError, refuse
from timellm_ops.datasets import fetch_with_bar
from timellm_ops.manifest import collect_manifest, recordable
from timellm_ops.preflight import DoesNotFit, Preflight, preflight
from timellm_ops.process.engine import adopt
from timellm_ops.store import RunStore, load_config, runs_dir

_replace = msgspec.structs.replace
_OPTIONS = "--engine-command"
"""What stands for a file where there is none, in messages."""


def run(
    config: Annotated[
        Path | None, Parameter(help="A TOML file, such as configs/etth1.toml.")
    ] = None,
    *,
    overrides: Overrides = (),
    gpu: Annotated[
        Literal["auto", "nvml", "simulated", "none"] | None,
        Parameter(help="Where the GPU's readings come from; short for --set gpu.probe=..."),
    ] = None,
    resume: Annotated[
        str | None, Parameter(help="Go on with a run from its last checkpoint: id, prefix, latest.")
    ] = None,
    engine_command: Annotated[
        str | None,
        Parameter(help='Supervise another script, such as "bash scripts/TimeLLM_ETTh1.sh".'),
    ] = None,
    engine_checkpoint: Annotated[
        str,
        Parameter(help="Where that script saves, such as checkpoints/*/checkpoint."),
    ] = "",
    engine_patterns: Annotated[
        str,
        Parameter(
            help="What that script prints: published, time-series-library, hf-trainer, or a file "
            "of patterns."
        ),
    ] = "",
    name: Annotated[
        str, Parameter(help="The run's name, part of its id; by default the config's.")
    ] = "",
    detach: Annotated[
        bool, Parameter(negative="", help="Start it and return; watch later with attach.")
    ] = False,
    plain: Plain = False,
    json: Json = False,
    lang: Lang = None,
    ascii_only: Ascii = False,
) -> int:
    """Start a run, or resume one, and watch it.

    In the dashboard, q leaves the run going and ? explains the keys. With --plain or --json,
    Ctrl+C asks for a stop after the current step; twice, now; three times, at once.
    """
    style = style_of(plain=plain, json=json, detach=detach, lang=lang, ascii_only=ascii_only)
    store = RunStore(runs_dir())
    given = [config is not None, resume is not None, engine_command is not None]
    if sum(given) != 1:
        raise UsageError(
            "run takes one of: a config file such as configs/quickstart.toml, --resume RUN, "
            'or --engine-command "..."'
        )
    if engine_command is not None and not engine_command.strip():
        raise UsageError('--engine-command: found nothing; expected a command, such as "bash x.sh"')
    if engine_checkpoint and engine_command is None:
        raise UsageError(
            "--engine-checkpoint goes with --engine-command; our own engine knows its checkpoints"
        )
    if engine_patterns and engine_command is None:
        raise UsageError(
            "--engine-patterns goes with --engine-command; in a config it is foreign.patterns"
        )
    options = list(overrides)
    if gpu is not None:
        options.append(f'gpu.probe="{gpu}"')
    if name and engine_command is None:
        options.append(f"run.name={name}")
    if resume is not None:
        if options:
            raise UsageError(
                "--resume goes on with the run's own config: --set, --gpu and --name do not go "
                "with it"
            )
        return _resume(store, resume, style)
    if engine_command is not None:
        found = foreign_config(
            engine_command,
            workdir=Path.cwd(),
            name=name,
            checkpoint=engine_checkpoint,
            patterns=engine_patterns,
            overrides=options,
        )
    else:
        assert config is not None  # noqa: S101 - counted above
        found = _read(config, options, named=bool(name))
    return _start(store, found, style, source=str(config) if config else _OPTIONS)


def _read(config: Path, options: Sequence[str], *, named: bool) -> Config:
    """The config with its options, of which the last one is what `--name` says if it is `named`."""
    try:
        return read_config(config, options)
    except ConfigError as error:
        refuse(
            ConfigError("--name", "", fault.found, fault.expected)
            if named and fault.source == "--set run.name"
            else fault
            for fault in error.all
        )
        raise


def _pattern_bytes(config: Config, source: str) -> bytes:
    """What the run is to keep of its pattern file. Raises `ConfigError` for a bad one."""
    foreign, key = config.foreign, "foreign.patterns"
    if not foreign.command or foreign.patterns == PUBLISHED:
        return b""
    if source == _OPTIONS:
        source, key = "--engine-patterns", ""
    return load_patterns(foreign.patterns, source, key).raw


def attach(
    run: RunRef = "latest",
    *,
    plain: Plain = False,
    json: Json = False,
    lang: Lang = None,
    ascii_only: Ascii = False,
) -> int:
    """Watch a run again.

    A supervisor that was killed is replaced by a new one, which adopts the running engine.
    """
    layout = RunStore(runs_dir()).resolve(run)
    style = style_of(plain=plain, json=json, detach=False, lang=lang, ascii_only=ascii_only)
    interrupts = listen(style, owns_run=False)
    if ensure_supervised(layout):
        told = watching_texts(style.shown_lang).adopted.format(run=layout.run_id)
        sys.stderr.write(f"{told}\n")
    return watch(layout, style, interrupts)


def _start(store: RunStore, config: Config, style: Style, source: str) -> int:
    now = datetime.now(UTC)
    patterns = _pattern_bytes(config, source)
    found = checked(config, store, source)
    manifest = collect_manifest(
        now=now,
        command_line=sys.argv,
        workdir=Path.cwd(),
        gpu=found.config.gpu.probe,
        data=found.data,
    )
    layout = store.create(
        found.config.run.name, now.astimezone(), found.config, manifest, patterns=patterns
    )
    return _go(layout, "start", found, style, 0)


def _resume(store: RunStore, reference: str, style: Style) -> int:
    layout = store.resolve(reference)
    journal_bytes = _journal_bytes(layout)  # before its state: what comes later may be a start
    state, config = state_of(layout), load_config(layout)
    if state.engine == "imported" and state.best is not None:
        raise UsageError(
            f"{layout.run_id} holds imported weights, without the optimiser that training would "
            f"need: evaluate them (timellm-ops evaluate {layout.run_id}), or train a new run"
        )
    if config.foreign.command or state.engine != "timellm":
        raise UsageError(
            f"{layout.run_id} was not trained by our engine, which alone can resume exactly; "
            "start it again instead"
        )
    if state.outcome == "finished":
        raise UsageError(
            f"{layout.run_id} is finished; there is nothing to resume "
            f"(timellm-ops show {layout.run_id})"
        )
    if not state.ended and (RunClient(layout).supervised() or adopt(layout) is not None):
        raise UsageError(f"{layout.run_id} is running: timellm-ops attach {layout.run_id}")
    # The stored gpu.index is the machine's own number already.
    env = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    kept_bytes = sum(file.stat().st_size for file in layout.checkpoints.rglob("*.safetensors"))
    found = checked(config, store, str(layout.config), env, kept_bytes=kept_bytes)
    return _go(layout, "resume", found, style, journal_bytes)


def checked(
    config: Config,
    store: RunStore,
    source: str,
    env: Mapping[str, str] = os.environ,
    *,
    kept_bytes: int = 0,
) -> Preflight:
    """Raises `ConfigError` for what is wrong anywhere, `PreflightError` for what is not here."""
    try:
        return preflight(
            config,
            runs_root=store.root,
            env=env,
            download=fetch_with_bar,
            kept_bytes=kept_bytes,
        )
    except DoesNotFit as error:
        raise ConfigError(source, error.key, error.found, error.expected) from None


def _go(
    layout: RunLayout,
    mode: Literal["start", "resume"],
    found: Preflight,
    style: Style,
    journal_bytes: int,
) -> int:
    interrupts = listen(style, owns_run=True)
    command = join(recordable(word) for word in sys.argv)
    order = Order(
        root=str(layout.root),
        mode=mode,
        findings=found.findings,
        command=command,
        journal_bytes=journal_bytes,
    )
    written_bytes = _journal_bytes(layout)
    try:
        start_supervisor(order)
    except (SupervisorFailed, KeyboardInterrupt) as error:
        if mode == "start" and not _has_begun(layout):
            shutil.rmtree(layout.root, ignore_errors=True)  # nothing has begun in it
        elif isinstance(error, KeyboardInterrupt):
            sys.stderr.write(f"\n{layout.run_id} has begun already, and is told to stop")
        raise
    if style.form == "detach":
        return _leave(layout, written_bytes, style)
    return watch(layout, style, interrupts)


def _leave(layout: RunLayout, written_bytes: int, style: Style) -> int:
    """Tell the run's id, and whether it is under way or has ended before there was an engine."""
    sys.stdout.write(f"{layout.run_id}\n")
    ended = wait_until_under_way(layout, written_bytes)
    if ended is not None and ended.exit_code:
        sys.stderr.write(f"timellm-ops: {layout.run_id}: {ended.reason}\n")
        return ended.exit_code
    told = watching_texts(style.shown_lang).detached.format(run=layout.run_id)
    sys.stderr.write(f"{told}\n")
    return 0


def _has_begun(layout: RunLayout) -> bool:
    """Whether anything is on record of a run."""
    return _journal_bytes(layout) > 0


def _journal_bytes(layout: RunLayout) -> int:
    return layout.journal.stat().st_size if layout.journal.exists() else 0
