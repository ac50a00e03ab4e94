"""Facts for the seventeen answers: of a config, with or without a run in some state."""

import msgspec
from sample_journals import STATES, Journal

from timellm_dashboard.answers.facts import Facts, HeatLimits
from timellm_dashboard.viewmodel.progress import mean_step_s
from timellm_dashboard.viewmodel.view import Recorder
from timellm_ops.backbones import find_facts
from timellm_ops.configfile import default_config
from timellm_ops.contract.config import Config
from timellm_ops.contract.plan import Device, Plan
from timellm_ops.contract.state import RunState
from timellm_ops.planning.make import make_plan
from timellm_ops.planning.steps import published_data

LIMITS = HeatLimits(pause_above_c=85.0, resume_below_c=75.0, emergency_c=97.0)


def plan_of(config: Config, device: Device = "cpu", *, source: str = "") -> Plan:
    """The plan of a config, with its data from the table; `source` is the file it would be in."""
    found, data = find_facts(config.backbone.source), published_data(config.data)
    return make_plan(config, msgspec.structs.replace(data, source=source), found, device)


def etth1(*overrides: str) -> Config:
    """The published windows of ETTh1 in batches of four."""
    return default_config(
        ("data.dataset=ETTh1", "train.batch_size=4", "train.epochs=3", *overrides)
    )


def of_the_night(*overrides: str) -> Config:
    """The config that the runs of `sample_journals` have: what they record is of its sizes."""
    night = (
        "backbone.source=Qwen/Qwen2.5-3B", "backbone.dtype=int8", "train.batch_size=28",
        "train.precision=bf16", "train.activation_checkpointing=true",
    )  # fmt: skip
    return etth1(*night, *overrides)


def recorder_of(journal: Journal) -> Recorder:
    """What is known of the run of `journal`."""
    recorder = Recorder()
    recorder.take(journal.records)
    return recorder


def state_of(journal: Journal) -> RunState:
    """Where the run of `journal` stands."""
    return recorder_of(journal).state


def facts(state: str = "", *overrides: str, problem: str = "") -> Facts:
    """Facts of ETTh1 with a run in that state, or with none and the settings by themselves."""
    config = of_the_night(*overrides) if state else etth1(*overrides)
    known = recorder_of(STATES[state]()) if state else Recorder()
    return Facts(
        kind="run" if state else "config",
        name="20260131-214503-etth1-7f3a" if state else "configs/etth1.toml",
        config=config,
        plan=plan_of(config, "cuda", source="/data/ETTh1.csv") if state else plan_of(config),
        state=known.state,
        mean_step_s=mean_step_s(known.state, known.history),
        limits=LIMITS,
        problem=problem,
    )
