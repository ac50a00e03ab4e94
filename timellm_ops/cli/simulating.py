"""`policy simulate`: a night rehearsed under several rules, side by side."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from msgspec import Struct

from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Json, Lang, Overrides, has_unicode, language
from timellm_ops.configfile import default_config, read_config, read_tables
from timellm_ops.contract.config import Config, PolicySection, SimulatedGpuSection
from timellm_ops.journal import read_records
from timellm_ops.probe.simulated import SimulatedCard
from timellm_ops.store import RunStore, load_config, runs_dir
from timellm_policies.identify import Identified, NotIdentifiable, identify
from timellm_policies.simulate import STRATEGIES, Night, Rehearsal, rehearse, room_between

SCHEMA = "timellm-ops.policy-simulation/1"

LAPTOP_C_PER_W = 0.6
LAPTOP_ROOM_C = (24.0, 32.0)
"""The night that is rehearsed where nothing says which: a laptop's card of 115 W (RTX 3060) that
full pace would bring to between 93 and 101 °C, in a room that warms and cools again."""

_LONGEST_H = 72.0
_LATE_S = 60.0
_MOST_OF_CHIP = 0.9


class Simulation(Struct, frozen=True, kw_only=True):
    """What `policy simulate --json` tells."""

    card: SimulatedGpuSection
    policy: PolicySection
    night: Night
    rehearsals: tuple[Rehearsal, ...]
    assumed: bool = False
    """Nothing said which card it is, or which room: it is a laptop's on a warm night."""
    recorded: Identified | None = None
    """What the recording told of its card, where there was one."""
    schema: str = SCHEMA


def simulate(
    config: Annotated[
        Path | None, Parameter(help="A TOML file, for its rules and its [gpu.simulated].")
    ] = None,
    *,
    run: Annotated[
        str | None, Parameter(help="Take card and room from a recorded run: its id, or latest.")
    ] = None,
    journal: Annotated[
        Path | None, Parameter(help="The same from a run's journal.jsonl anywhere.")
    ] = None,
    hours: Annotated[float, Parameter(help="How long the night is; 14 by default.")] = 14.0,
    ambient: Annotated[
        str, Parameter(help="The room in °C: 28, or 24..32 for a night from 24 to 32 and back.")
    ] = "",
    step: Annotated[
        float | None, Parameter(name="--step", help="Seconds of a step at full speed.")
    ] = None,
    noise: Annotated[
        float | None,
        Parameter(name="--noise", help="Standard deviation of readings, in °C."),
    ] = None,
    late: Annotated[
        float | None,
        Parameter(name="--late", help="How many seconds late readings come."),
    ] = None,
    chip: Annotated[
        float | None,
        Parameter(
            name="--chip",
            help="So many °C at full load are the chip's own, and come and go within a second.",
        ),
    ] = None,
    model_error: Annotated[
        float,
        Parameter(
            name="--model-error",
            help="The governor takes the card for so many times as slow and as warm as it is.",
        ),
    ] = 1.0,
    overrides: Overrides = (),
    lang: Lang = None,
    json: Json = False,
) -> int:
    """Rehearse a night under no rule, pausing, and the governor with rests and with power limits.

    The real rules run in simulated time on a model of a card; nothing is started. Where nothing
    says which, the card is a laptop's of 115 W, in a room of 24 to 32 °C.
    """
    if run is not None and journal is not None:
        raise UsageError("policy simulate: only one of --run and --journal can be given")
    _check("--hours", hours, 0.1, _LONGEST_H)
    _check("--model-error", model_error, 0.1, 10.0)
    recorded = None
    if run is not None or journal is not None:
        path = RunStore(runs_dir()).resolve(run).journal if run is not None else journal
        assert path is not None  # noqa: S101 - one of the two was given
        recorded = _identified(path)
    chosen = _config(config, run, overrides)
    said = _said(config, overrides)
    assume = recorded is None and "resistance_c_per_w" not in said
    assume_room = recorded is None and not ambient and "ambient_c" not in said
    card = _card(chosen, recorded, noise, late)
    if assume:
        card = msgspec.structs.replace(card, resistance_c_per_w=LAPTOP_C_PER_W)
    if chip is not None:
        card = _with_chip(card, chip)
    room_c = room_between(*LAPTOP_ROOM_C) if assume_room else _room(ambient, card, recorded)
    step_s = step if step is not None else (recorded and recorded.step_s) or 1.0
    _check("--step", step_s, 0.001, 600.0)
    night = Night(hours=hours, step_s=step_s, poll_s=max(0.2, chosen.gpu.poll_s), room_c=room_c)
    rules = _with_error(chosen.policy, model_error)
    found = tuple(rehearse(rules, name, SimulatedCard(card), night) for name in STRATEGIES)
    simulation = Simulation(
        card=card,
        policy=rules,
        night=night,
        rehearsals=found,
        assumed=assume or assume_room,
        recorded=recorded,
    )
    if json:
        sys.stdout.write(msgspec.json.encode(simulation).decode() + "\n")
        return 0
    from timellm_ops.cli.simulation_page import page

    shown = (lang or language()) if has_unicode() else "en"
    sys.stdout.write(page(simulation, shown) + "\n")
    return 0


def _config(path: Path | None, run: str | None, overrides: tuple[str, ...]) -> Config:
    """The config of the file; or that of the run, whose rules are then rehearsed; or none."""
    if path is not None:
        return read_config(path, overrides)
    if run is not None and not overrides:
        return load_config(RunStore(runs_dir()).resolve(run))
    return default_config(overrides)


def _said(path: Path | None, overrides: tuple[str, ...]) -> set[str]:
    """Which keys of `[gpu.simulated]` somebody has set."""
    begin = "gpu.simulated."
    said = {text.partition("=")[0].strip().removeprefix(begin) for text in overrides}
    if path is not None:
        said |= read_tables(path).get("gpu", {}).get("simulated", {}).keys()
    return said


def _identified(path: Path) -> Identified:
    if not path.is_file():
        raise UsageError(f"{path}: found no such file; expected a journal.jsonl")
    try:
        return identify(read_records(path))
    except NotIdentifiable as error:
        raise UsageError(f"{path}: {error}") from error


def _card(
    config: Config, recorded: Identified | None, noise: float | None, late: float | None
) -> SimulatedGpuSection:
    card = msgspec.structs.replace(config.gpu.simulated, whole_degrees=True)
    if recorded is not None:
        card = msgspec.structs.replace(
            card,
            resistance_c_per_w=recorded.resistance_c_per_w,
            time_constant_s=recorded.time_constant_s,
            idle_power_w=min(recorded.idle_power_w, 0.9 * recorded.load_power_w),
            load_power_w=recorded.load_power_w,
            lowest_limit_w=min(card.lowest_limit_w, recorded.load_power_w),
        )
    if noise is not None:
        _check("--noise", noise, 0.0, 10.0)
        card = msgspec.structs.replace(card, noise_c=noise)
    if late is not None:
        _check("--late", late, 0.0, _LATE_S)
        card = msgspec.structs.replace(card, late_s=late)
    return card


def _with_chip(card: SimulatedGpuSection, chip_c: float) -> SimulatedGpuSection:
    """The card, as warm at full load as before, of which `chip_c` are the chip's own."""
    whole = card.resistance_c_per_w + card.chip_c_per_w
    _check("--chip", chip_c, 0.0, round(_MOST_OF_CHIP * whole * card.load_power_w, 1))
    chip = chip_c / card.load_power_w
    return msgspec.structs.replace(card, resistance_c_per_w=whole - chip, chip_c_per_w=chip)


def _room(
    ambient: str, card: SimulatedGpuSection, recorded: Identified | None
) -> tuple[float, ...]:
    if not ambient:
        return recorded.room_c if recorded is not None else (card.ambient_c,)
    first, dots, second = ambient.partition("..")
    try:
        bounds = float(first), float(second if dots else first)
    except ValueError:
        raise UsageError(
            f'--ambient: found "{ambient}"; expected degrees, as in 28 or 24..32'
        ) from None
    for celsius in bounds:
        _check("--ambient", celsius, -20.0, 80.0)
    return room_between(*bounds) if dots else bounds[:1]


def _with_error(rules: PolicySection, error: float) -> PolicySection:
    pace = rules.governor
    wrong = msgspec.structs.replace(
        pace,
        time_constant_s=pace.time_constant_s * error,
        full_load_rise_c=pace.full_load_rise_c * error,
    )
    return msgspec.structs.replace(rules, governor=wrong)


def _check(option: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise UsageError(f"{option}: found {value:g}; expected {lowest:g} to {highest:g}")
