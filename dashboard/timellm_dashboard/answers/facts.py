"""What answers are made of: a run's config, its plan, and what has become of it so far."""

from typing import Literal

from msgspec import Struct

from timellm_dashboard.answers.answer import Say
from timellm_ops.contract.config import Config
from timellm_ops.contract.plan import Plan, SplitName, SplitPlan
from timellm_ops.contract.state import EpochRow, RunState

SCRIPT = "script"
"""The problem of a run whose shapes are the affair of a script that is not ours."""


class HeatLimits(Struct, frozen=True, kw_only=True):
    """The thermal limits in force, in °C."""

    pause_above_c: float
    resume_below_c: float
    emergency_c: float | None = None
    """`None`: no temperature that is known stops the run."""
    governed: bool = True
    """Whether the governor slows the run down before it is paused."""


class Facts(Struct, frozen=True, kw_only=True):
    """Everything that the seventeen answers are made of."""

    kind: Literal["run", "config", "example"]
    """`example`: nobody named a run or a config, and there is no run."""
    name: str
    """The run's id, the config's path, or the example's data set."""
    config: Config
    plan: Plan
    state: RunState = RunState()
    """Where the run stands; the empty state for a config."""
    mean_step_s: float | None = None
    """Seconds from step to step over the run until now, as its screens show it: rests for the pace
    included. `None`: not measured."""
    bundle_bytes: int | None = None
    """Of the run's bundle on disk, its weights; `None`: there is none."""
    limits: HeatLimits | None = None
    """`None`: no thermal rule is in force."""
    problem: str = ""
    """Why config and plan are not the run's own but those of the default settings: `SCRIPT`, or
    what is missing here. Empty: they are its own."""

    def split(self, name: SplitName) -> SplitPlan:
        """One split of the plan."""
        return next(split for split in self.plan.data.splits if split.name == name)

    @property
    def own(self) -> bool:
        """Whether config and plan are those of the run or config that was asked about."""
        return not self.problem

    @property
    def running(self) -> bool:
        """Whether there is a run, whatever has become of it."""
        return self.kind == "run" and self.state.run_id != ""

    @property
    def looks_at_no_gpu(self) -> bool:
        """Whether nobody reads a GPU: as the run was started, else as it is configured."""
        probe = self.state.gpu if self.running else self.config.gpu.probe
        return probe == "none"

    @property
    def trains_on(self) -> str:
        """What the engine computes on: a card by its name. One that is only looked at, or simulated
        beside an engine on the processor, is not it."""
        device = self.state.device or ("" if self.problem == SCRIPT else self.plan.device)
        card = "" if self.state.sample is None else self.state.sample.name or ""
        return device if device == "cpu" or not card else card

    @property
    def epochs(self) -> int:
        """Epochs that training has at most."""
        return self.state.epochs or self.plan.steps.epochs

    @property
    def steps_per_epoch(self) -> int | None:
        """Iterations of an epoch: as the engine has said, else as planned; `None` where neither
        tells."""
        if self.state.steps_per_epoch is not None:
            return self.state.steps_per_epoch
        return self.plan.steps.per_epoch if self.own else None

    @property
    def total_steps(self) -> int | None:
        """Iterations of all epochs."""
        return None if self.steps_per_epoch is None else self.epochs * self.steps_per_epoch

    @property
    def step_s(self) -> float | None:
        """Seconds that a step takes; `None` before that was measured."""
        if self.mean_step_s is not None:
            return self.mean_step_s
        return None if self.plan.measured is None else self.plan.measured.seconds_per_step

    @property
    def patches(self) -> int:
        """Patches that a window is cut into, the one over its repeated end included."""
        model, data = self.config.model, self.config.data
        return (data.seq_len - model.patch_len) // model.stride + 2

    @property
    def backbone(self) -> str:
        """The backbone's name."""
        return self.plan.backbone.known_as or self.plan.backbone.source

    @property
    def best(self) -> EpochRow | None:
        """The best epoch so far."""
        return next((r for r in self.state.rows if r.epoch == self.state.best_epoch), None)


def whose(facts: Facts, say: Say) -> str:
    """Whose numbers the answers have, in a sentence."""
    dataset = facts.config.data.dataset
    if facts.problem == SCRIPT:
        return say(
            "{name} is a script's run, which tells no shapes: those below are of the default"
            " settings on {dataset}; times, losses and temperatures are its own.",
            "{name} 由脚本运行，不告知形状：下面的形状取自 {dataset} 上的默认设置；时间、损失和温"
            "度是它自己的。",
            name=facts.name,
            dataset=dataset,
        )
    if facts.problem:
        return say(
            "The shapes of {name} cannot be known here ({problem}): those below are of the default"
            " settings on {dataset}.",
            "这里无法得知 {name} 的形状（{problem}）：下面的形状取自 {dataset} 上的默认设置。",
            name=facts.name,
            problem=facts.problem,
            dataset=dataset,
        )
    match facts.kind:
        case "run":
            return say("Numbers of the run {name}.", "数字来自运行 {name}。", name=facts.name)
        case "config":
            return say(
                "Numbers of {name}; nothing is trained yet.",
                "数字来自 {name}；尚未训练。",
                name=facts.name,
            )
        case "example":
            return say(
                "There is no run here yet: numbers of the default settings on {dataset}.",
                "这里还没有运行：数字取自 {dataset} 上的默认设置。",
                dataset=dataset,
            )
