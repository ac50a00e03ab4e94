"""The GPU card: what is known of the GPU, each value by itself, and where the limits are."""

from typing import Literal

from msgspec import Struct

from timellm_dashboard.folds.history import History
from timellm_dashboard.moment import Moment, is_watched
from timellm_dashboard.viewmodel.figure import Figure, figure
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.phrases import clean, said
from timellm_dashboard.words.text import Words
from timellm_ops.contract.sizes import part_text
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import GpuSample

Telemetry = Literal["none", "waiting", "known", "lost", "gone", "asleep"]
ABSENT: tuple[Telemetry, ...] = ("none", "gone")
"""There is no card to read, and there will be none."""
Heat = Literal["cool", "warm", "hot", "unknown"]
MarkKind = Literal["resume", "pause", "emergency", "slowdown", "shutdown"]

_OLD_AFTER_S = 15.0
"""A reading is said to be old when it is; most probes are asked every second."""


class Mark(Struct, frozen=True, kw_only=True):
    """A temperature at which something happens."""

    kind: MarkKind
    celsius: float
    text: str


class GpuCard(Struct, frozen=True, kw_only=True):
    """Every `Figure` may be unknown by itself; `message` says why where all of them are."""

    telemetry: Telemetry
    source: str
    simulated: bool
    title: str
    message: str = ""
    heat: Heat = "unknown"
    heat_word: str = ""
    temperature: Figure
    peak: Figure
    marks: tuple[Mark, ...] = ()
    memory: Figure
    memory_share: float | None = None
    power: Figure
    clock: Figure
    load: Figure
    throttle_reasons: tuple[str, ...] | None = None
    throttle: str
    energy: Figure
    processes: str = ""
    age_s: float | None = None
    """Age of the reading, where it is old enough to matter."""


def gpu_card(state: RunState, history: History, moment: Moment, look: Look) -> GpuCard:
    """What is known of the run's GPU."""
    words = look.words
    telemetry = _telemetry(state)
    # A reading that failed leaves nothing known: the one before it may be long out of date.
    sample = state.sample if telemetry == "known" else None
    card = sample or GpuSample(source=state.gpu)
    marks = () if telemetry in ABSENT else _marks(state, look)
    heat = _heat(card.temperature_c, marks)
    age_s = _age_s(state, moment) if telemetry == "known" else None
    throttle = card.throttle_reasons
    return GpuCard(
        telemetry=telemetry,
        source=state.gpu,
        simulated=state.gpu == "simulated" or card.source == "simulated",
        title=_title(state, card, words),
        message=_message(telemetry, state, moment, look, age_s),
        heat=heat,
        heat_word=_heat_word(heat, words),
        temperature=figure(card.temperature_c, fmt.celsius, words.unknown),
        peak=figure(state.peak_temperature_c, fmt.celsius, words.unknown),
        marks=marks,
        memory=_memory(card, words),
        memory_share=_memory_share(card),
        power=figure(card.power_w, lambda w: _power(w, card.power_limit_w, words), words.unknown),
        clock=figure(card.sm_clock_mhz, lambda mhz: f"{fmt.count(mhz)} MHz", words.unknown),
        load=figure(card.utilization_pct, lambda pct: f"{pct:.0f} %", words.unknown),
        throttle_reasons=throttle,
        throttle=words.unknown if throttle is None else _throttle(throttle, words),
        energy=figure(
            None if history.gpu.energy_mj is None else history.gpu.energy_mj / 3.6e9,
            lambda kwh: f"{kwh:.2f} kWh" if kwh >= 0.1 else f"{kwh * 1000:.1f} Wh",
            words.unknown,
        ),
        processes=_processes(card),
        age_s=age_s,
    )


def _telemetry(state: RunState) -> Telemetry:
    if state.run_id == "":
        return "waiting"  # whether there is a card is not on record yet
    if state.gpu == "none" or state.engine == "imported":
        return "none"
    if state.telemetry_gone:
        return "gone"
    if state.telemetry_asleep:
        return "asleep"
    if state.telemetry_problem:
        return "lost"
    return "waiting" if state.sample is None else "known"


def _title(state: RunState, card: GpuSample, words: Words) -> str:
    last = state.sample
    known = card if card.name or last is None else last
    name = clean(known.name or "")
    if name and known.gpus is not None and known.gpus > 1:
        name = f"{name} · #{known.index}"
    made = ""
    if "simulated" in (state.gpu, card.source):
        made = words.simulated
    elif card.source == "recorded":
        made = words.recorded
    if not made or made in name:
        return name
    return f"{name} · {made}" if name else made


def _message(
    telemetry: Telemetry, state: RunState, moment: Moment, look: Look, age_s: float | None
) -> str:
    words, lang = look.words, look.shown_lang
    match telemetry:
        case "none":
            return words.gpu_imported if state.engine == "imported" else words.gpu_none
        case "waiting":
            return words.gpu_never if state.ended else words.gpu_waiting
        case "gone":
            # The events tell what the driver's library said.
            if state.gpu != "recorded":
                return words.gpu_gone
            return words.gpu_over.format(reason=said(state.telemetry_problem, lang))
        case "asleep":
            return words.gpu_asleep
        case "lost":
            return words.gpu_lost.format(reason=said(state.telemetry_problem, lang))
        case "known":
            return _reading_note(state, moment, look, age_s)


def _reading_note(state: RunState, moment: Moment, look: Look, age_s: float | None) -> str:
    """That a reading is not of now, where it is not."""
    words = look.words
    if age_s is not None:
        return words.gpu_old.format(age=fmt.ago(age_s, words))
    if is_watched(state, moment) or state.updated_at is None:
        return ""
    when = fmt.day_and_time(state.updated_at, moment.wall, look.zone, words)
    return words.gpu_last.format(when=when)


def _age_s(state: RunState, moment: Moment) -> float | None:
    if not is_watched(state, moment):
        return None
    age_s = moment.since(state.sample_t)
    return age_s if age_s is not None and age_s > _OLD_AFTER_S else None


def _marks(state: RunState, look: Look) -> tuple[Mark, ...]:
    words, card = look.words, state.sample
    limits = None if look.limits is None else look.limits(state)
    found: list[tuple[MarkKind, float | None, str]] = [
        ("resume", None if limits is None else limits.resume_below_c, words.mark_resume),
        ("pause", None if limits is None else limits.pause_above_c, words.mark_pause),
        ("emergency", None if limits is None else limits.emergency_c, words.mark_emergency),
        ("slowdown", None if card is None else card.slows_at_c, words.mark_slowdown),
        ("shutdown", None if card is None else card.shutdown_c, words.mark_shutdown),
    ]
    marks = [
        Mark(kind=kind, celsius=celsius, text=f"{fmt.number(celsius)} {word}")
        for kind, celsius, word in found
        if celsius is not None
    ]
    return tuple(sorted(marks, key=lambda mark: mark.celsius))


def _heat(temperature_c: float | None, marks: tuple[Mark, ...]) -> Heat:
    """Hot where the engine is paused for it; without a rule, where the card slows itself down."""
    at = {mark.kind: mark.celsius for mark in marks}
    hot_c = at.get("pause", at.get("slowdown"))
    if temperature_c is None or hot_c is None:
        return "unknown"
    if temperature_c > hot_c:
        return "hot"
    return "cool" if temperature_c < at.get("resume", hot_c - 10.0) else "warm"


def _heat_word(heat: Heat, words: Words) -> str:
    return {"cool": words.cool, "warm": words.warm, "hot": words.hot, "unknown": ""}[heat]


def _memory(card: GpuSample, words: Words) -> Figure:
    used, total = card.memory_used_bytes, card.memory_total_bytes
    if used is None:
        return Figure(None, words.unknown)
    if total is None:
        return Figure(used, fmt.storage(used))
    share = f" · {fmt.percent(used / total)}" if total > 0 else ""
    return Figure(used, f"{part_text(used, total, ' / ')}{share}")


def _memory_share(card: GpuSample) -> float | None:
    used, total = card.memory_used_bytes, card.memory_total_bytes
    return None if used is None or not total else used / total


def _power(now_w: float, limit_w: float | None, words: Words) -> str:
    if limit_w is None:
        return f"{now_w:.0f} W"
    return words.of_power.format(now=f"{now_w:.0f}", limit=f"{limit_w:.0f}")


def _throttle(reasons: tuple[str, ...], words: Words) -> str:
    if not reasons:
        return words.throttle_none
    return ", ".join(clean(reason).replace("_", " ") for reason in reasons)


def _processes(card: GpuSample) -> str:
    """`python 5.09 GiB, Xorg`; empty where the card does not say."""
    parts = []
    for process in card.processes or ():
        name = clean(process.name).rpartition("/")[2] if process.name else str(process.pid)
        used = process.used_bytes
        parts.append(name if used is None else f"{name} {fmt.storage(used)}")
    return ", ".join(parts)
