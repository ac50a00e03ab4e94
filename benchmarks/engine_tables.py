"""What `engine.py` measures, as Markdown tables. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

MIB = 1 << 20
PUBLISHED = "published"

GOALS = (
    ("mapping fp32 step", "mapping fp32", "published fp32", "step", 1.8),
    ("mapping bf16 step", "mapping bf16", "published bf16", "step", 2.5),
    ("direct fp32 step", "direct fp32", "published fp32", "step", 5.0),
    ("direct bf16 step", "direct bf16", "published bf16", "step", 8.0),
    ("best step against fp32", "", "published fp32", "step", 12.0),
    ("evaluation, mapping fp32", "mapping fp32", "published fp32", "evaluation", 4.0),
    ("evaluation, direct fp32", "direct fp32", "published fp32", "evaluation", 4.0),
    ("evaluation, mapping bf16", "mapping bf16", "published bf16", "evaluation", 4.0),
    ("evaluation, direct bf16", "direct bf16", "published bf16", "evaluation", 4.0),
    ("peak memory of training, direct fp32", "direct fp32", "published fp32", "peak", 0.50),
    ("bundle against the published checkpoint", "direct fp32", "published fp32", "bundle", 0.02),
)
"""What is compared, whose, with whose, in what, and how much of it is wanted: times as fast at
least, or at most such a share of the bytes. No name: of the engine, the fastest."""


@dataclass(kw_only=True)
class Figures:
    """Of one contender, every single one."""

    name: str
    precision: str
    device: str
    started_s: float | None
    """Not known of one that started along with others."""
    first_step_s: float = 0.0
    steps_s: list[float] = field(default_factory=list)
    windows_s: list[float] = field(default_factory=list)
    """Windows a second, of each evaluation."""
    prepared_s: list[float] = field(default_factory=list)
    """What each evaluation began with, which is done once for a whole split; not in `windows_s`."""
    losses: list[float] = field(default_factory=list)
    forecast: list[float] = field(default_factory=list)
    """Of one window, before training."""
    training_peak_bytes: int = 0
    peak_bytes: int = 0
    file_bytes: dict[str, int] = field(default_factory=dict)
    remark: str = ""

    @property
    def step_s(self) -> float:
        """The median."""
        return statistics.median(self.steps_s)

    @property
    def evaluated_s(self) -> float:
        """Windows a second, the median."""
        return statistics.median(self.windows_s)


def speed_table(figures: Sequence[Figures], batch: int) -> str:
    """How fast each is, and how many times as fast as the published computation."""
    head = (
        "variant", "step s", "fastest to slowest", "steps/s", "samples/s", "× same precision",
        "× fp32", "evaluation windows/s", "× same precision", "× fp32", "once a split s", "differs",
    )  # fmt: skip
    return _table(
        head,
        (
            (
                of.name,
                _seconds(of.step_s),
                f"{_seconds(min(of.steps_s))} to {_seconds(max(of.steps_s))}",
                f"{1 / of.step_s:.2f}",
                f"{batch / of.step_s:.1f}",
                *(_ratio(of, base, "step") for base in _bases(of, figures)),
                f"{of.evaluated_s:.2f}",
                *(_ratio(of, base, "evaluation") for base in _bases(of, figures)),
                f"{statistics.median(of.prepared_s):.2f}",
                _difference(of, _named(f"{PUBLISHED} fp32", figures)),
            )
            for of in figures
        ),
    )


def size_table(figures: Sequence[Figures]) -> str:
    """What each needs of memory, disk and patience before its first step."""
    head = (
        "variant", "peak of training MiB", "share", "peak with evaluation MiB", "checkpoint MB",
        "weights MB", "bundle MB", "start-up s", "first step s",
    )  # fmt: skip
    base = _named(f"{PUBLISHED} fp32", figures)
    return _table(
        head,
        (
            (
                of.name,
                f"{of.training_peak_bytes / MIB:,.0f}",
                f"{of.training_peak_bytes / base.training_peak_bytes:.0%}" if base else "-",
                f"{of.peak_bytes / MIB:,.0f}",
                *(
                    f"{of.file_bytes[what] / 1e6:,.1f}" if what in of.file_bytes else "-"
                    for what in ("checkpoint", "weights", "bundle")
                ),
                "-" if of.started_s is None else f"{of.started_s:.1f}",
                f"{of.first_step_s:.2f}",
            )
            for of in figures
        ),
    )


def goals_table(figures: Sequence[Figures]) -> str:
    """Each goal whose two sides were measured; goals are for two cores, GPT-2-small and batch 4."""
    rows = []
    for what, name, base_name, kind, wanted in GOALS:
        base = _named(base_name, figures)
        ours = [f for f in figures if f.name not in ("neuralforecast",)]
        ours = [f for f in ours if not f.name.startswith(PUBLISHED)]
        of = _named(name, figures) if name else min(ours, key=lambda f: f.step_s, default=None)
        if of is None or base is None:
            continue
        found = ratio(of, base, kind)
        least = kind in ("step", "evaluation")
        met = found >= wanted if least else found <= wanted
        shown = (f"{found:.2f} ×", f"at least {wanted:g} ×")
        if not least:
            shown = (f"{found:.1%}", f"at most {wanted:.0%}")
        who = what if name else f"{what} ({of.name})"
        rows.append((who, *shown, "yes" if met else "no"))
    return _table(("goal", "measured", "wanted", "met"), rows)


def ratio(of: Figures, base: Figures, kind: str) -> float:
    """How many times as fast, or which share of the bytes."""
    match kind:
        case "step":
            return base.step_s / of.step_s
        case "evaluation":
            return of.evaluated_s / base.evaluated_s
        case "peak":
            return of.training_peak_bytes / base.training_peak_bytes
        case "bundle":
            return of.file_bytes["bundle"] / base.file_bytes["checkpoint"]
        case _:
            raise ValueError(kind)


def _seconds(value: float) -> str:
    """A step of a GPU takes thousandths of a second."""
    return f"{value:.3f}" if value >= 0.1 else f"{value:.4f}"


def _bases(of: Figures, figures: Sequence[Figures]) -> tuple[Figures | None, Figures | None]:
    return (
        _named(f"{PUBLISHED} {of.precision}", figures),
        _named(f"{PUBLISHED} fp32", figures),
    )


def _named(name: str, figures: Sequence[Figures]) -> Figures | None:
    return next((of for of in figures if of.name == name), None)


def _ratio(of: Figures, base: Figures | None, kind: str) -> str:
    return "-" if base is None else f"{ratio(of, base, kind):.2f}"


def _difference(of: Figures, base: Figures | None) -> str:
    if base is None or of.name == "neuralforecast":
        return "-"
    largest = max(map(abs, base.forecast))
    apart = (abs(own - its) for own, its in zip(of.forecast, base.forecast, strict=True))
    return f"{max(apart) / largest:.0e}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
