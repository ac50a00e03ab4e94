"""What the seventeen answers are made of, for a run, for a config, or for neither."""

from pathlib import Path

from timellm_dashboard.answers.facts import SCRIPT, Facts, HeatLimits
from timellm_ops.backbones import find_facts
from timellm_ops.cli.plan import device_of, planned
from timellm_ops.cli.thermal import governed, limits_of
from timellm_ops.configfile import NO_DATA, default_config, read_config
from timellm_ops.contract.bundle import WEIGHTS
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.plan import Plan
from timellm_ops.contract.state import RunState
from timellm_ops.contract.validation import ConfigError
from timellm_ops.engine_task import EngineTaskFailed
from timellm_ops.planning.make import make_plan
from timellm_ops.planning.steps import published_data
from timellm_ops.preflight import DataUnusable, DoesNotFit, PreflightError
from timellm_ops.store import load_config

_EXAMPLE = "ETTh1"

_UNKNOWABLE = (ConfigError, PreflightError, DataUnusable, DoesNotFit, EngineTaskFailed, OSError)
"""What a run that was fine once may meet when it is looked at later, or elsewhere."""


class FactsOfRun:
    """The facts of a run in any state. Its plan is made once, at the first call, which may take a
    second; the later ones take nothing."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._limits = limits_of(layout)
        self._made: tuple[Config, Plan, str] | None = None

    def __call__(self, state: RunState, mean_step_s: float | None) -> Facts:
        """The facts in `state`, in which a step takes so many seconds on the average."""
        if self._made is None:
            self._made = _planned(self._layout)
        config, plan, problem = self._made
        limits = None if self._limits is None else self._limits(state)
        return Facts(
            kind="run",
            name=self._layout.run_id,
            config=config,
            plan=plan,
            state=state,
            mean_step_s=mean_step_s,
            bundle_bytes=_bundle_bytes(self._layout),
            limits=None
            if limits is None
            else HeatLimits(
                pause_above_c=limits.pause_above_c,
                resume_below_c=limits.resume_below_c,
                emergency_c=limits.emergency_c,
                governed=governed(self._layout, state),
            ),
            problem=problem,
        )


def facts_of_config(path: Path) -> Facts:
    """The facts of a config, of which nothing is trained yet.

    Raises `ConfigError`, `PreflightError`, `DataUnusable` and `EngineTaskFailed`.
    """
    config = read_config(path)
    if _is_script(config):
        example = _example()
        return Facts(
            kind="config",
            name=str(path),
            config=example,
            plan=_example_plan(example),
            problem=SCRIPT,
        )
    try:
        plan = planned(config)
    except DoesNotFit as error:
        raise ConfigError(str(path), error.key, error.found, error.expected) from error
    return Facts(
        kind="config", name=str(path), config=config, plan=plan, limits=_configured(config)
    )


def example_facts() -> Facts:
    """The default settings on a published data set, where there is nothing else to speak of."""
    config = _example()
    return Facts(
        kind="example",
        name=_EXAMPLE,
        config=config,
        plan=_example_plan(config),
        limits=_configured(config),
    )


def _bundle_bytes(layout: RunLayout) -> int | None:
    """All of its files, as the checkpoints are counted."""
    try:
        if not (layout.bundle / WEIGHTS).is_file():
            return None
        return sum(path.stat().st_size for path in layout.bundle.iterdir() if path.is_file())
    except OSError:
        return None


def _planned(layout: RunLayout) -> tuple[Config, Plan, str]:
    try:
        config = load_config(layout)
        if not _is_script(config):
            return config, planned(config), ""
        problem = SCRIPT
    except _UNKNOWABLE as error:
        problem = " ".join(str(error).split())
    example = _example()
    return example, _example_plan(example), problem


def _example() -> Config:
    return default_config((f"data.dataset={_EXAMPLE}",))


def _example_plan(config: Config) -> Plan:
    """By the published numbers, whatever lies where its file is looked for."""
    data, found = published_data(config.data), find_facts(config.backbone.source)
    return make_plan(config, data, found, device_of(config))


def _is_script(config: Config) -> bool:
    return bool(config.foreign.command) or config.data.path == NO_DATA


def _configured(config: Config) -> HeatLimits | None:
    thermal = config.policy.thermal
    if not thermal.enabled:
        return None
    return HeatLimits(
        pause_above_c=thermal.pause_above_c,
        resume_below_c=thermal.resume_below_c,
        emergency_c=thermal.emergency_c,
        governed=config.policy.governor.enabled,
    )
