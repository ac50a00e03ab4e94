"""A rehearsed night for people: one table, and how to read it."""

from msgspec import Struct

from timellm_ops.cli.options import Language
from timellm_ops.cli.simulating import Simulation
from timellm_ops.cli.text_table import table
from timellm_ops.contract.state import RunState
from timellm_policies.governor import set_point_c
from timellm_policies.simulate import Rehearsal, Strategy


class _Texts(Struct, frozen=True, kw_only=True):
    card: str
    chip: str
    recorded: str
    assumed: str
    night: str
    columns: tuple[str, ...]
    names: dict[Strategy, str]
    stopped: str
    notes: tuple[str, ...]


_TEXTS: dict[Language, _Texts] = {
    "en": _Texts(
        card=(
            "A simulated card: {load:g} W, {rise:.2f} °C a watt, time constant {tau:g} s, "
            "speed ~ power^{exponent:g}"
        ),
        chip="{chip:.1f} °C more at full load are the chip's own, time constant {tau:g} s",
        recorded=(
            "Card and room are those of {hours:.1f} recorded hours; the model misses {error:g} °C"
        ),
        assumed=(
            "Nothing says which card and which room: a 115 W laptop's on a warm night stands in\n"
            "(--run RUN: a recorded one; --ambient; --set gpu.simulated.KEY=VALUE)"
        ),
        night=(
            "{hours:g} h, room {room} °C, steps of {step:g} s, held at {target:g} °C, "
            "paused above {pause:g} °C"
        ),
        columns=(
            "rules", "steps", "per hour", "of bound", "mean °C", "max °C", "swing °C",
            "s above", "pauses", "decisions", "Wh",
        ),
        names={
            "none": "none", "pause": "pause", "duty": "governor, duty", "power": "governor, power",
        },
        stopped="{name}: {reason}",
        notes=(
            "of bound: of what stop and go could do with that mean, never above what pauses",
            "swing: between the coolest and the hottest moment, the first 20 min left out",
            "none: only the card's own slowdown for heat protects it",
        ),
    ),
    "zh": _Texts(
        card=(
            "模拟显卡：{load:g} W，每瓦 {rise:.2f} °C，时间常数 {tau:g} s，"
            "速度 ~ 功率^{exponent:g}"
        ),
        chip="满负荷时芯片自身另高 {chip:.1f} °C，时间常数 {tau:g} s",
        recorded="显卡与室温取自 {hours:.1f} 小时的记录；模型误差 {error:g} °C。",
        assumed=(
            "没有说明是哪块显卡、哪个房间：以一块 115 W 的笔记本显卡和一个温暖的夜晚代替\n"
            "（--run RUN：取自记录；--ambient；--set gpu.simulated.KEY=VALUE）"
        ),
        night=(
            "{hours:g} 小时，室温 {room} °C，每步 {step:g} s，目标 {target:g} °C，"
            "高于 {pause:g} °C 时暂停"
        ),
        columns=(
            "规则", "步数", "每小时", "占上限", "平均 °C", "最高 °C", "波动 °C",
            "超温 s", "暂停", "决定", "Wh",
        ),
        names={"none": "无", "pause": "暂停", "duty": "调速（占空比）", "power": "调速（功率）"},
        stopped="{name}：{reason}",
        notes=(
            "占上限：相对于平均温度恰为目标、且任何时刻都不超过暂停温度时走走停停所能完成的工作量",
            "波动：最低与最高温度之差，不计最初 20 分钟",
            "无：只有显卡自身的过热降频在保护它",
        ),
    ),
}  # fmt: skip


def page(simulation: Simulation, lang: Language) -> str:
    """The whole page."""
    texts, card, night = _TEXTS[lang], simulation.card, simulation.night
    lines = [
        texts.card.format(
            load=card.load_power_w,
            rise=card.resistance_c_per_w,
            tau=card.time_constant_s,
            exponent=card.speed_exponent,
        )
    ]
    if card.chip_c_per_w > 0.0:
        chip_c = card.load_power_w * card.chip_c_per_w
        lines.append(texts.chip.format(chip=chip_c, tau=card.chip_time_constant_s))
    if simulation.assumed:
        lines.append(texts.assumed)
    recorded = simulation.recorded
    if recorded is not None:
        lines.append(texts.recorded.format(hours=recorded.hours, error=recorded.error_c))
    rules = simulation.policy
    lines += [
        texts.night.format(
            hours=night.hours,
            room=_room(night.room_c),
            step=night.step_s,
            target=set_point_c(rules.governor, rules.thermal, RunState()),
            pause=rules.thermal.pause_above_c,
        ),
        "",
        *table([texts.columns, *(_row(found, texts) for found in simulation.rehearsals)]),
        "",
    ]
    lines += [
        texts.stopped.format(name=texts.names[found.strategy], reason=found.stopped)
        for found in simulation.rehearsals
        if found.stopped
    ]
    return "\n".join((*lines, *texts.notes))


def _row(found: Rehearsal, texts: _Texts) -> tuple[str, ...]:
    return (
        texts.names[found.strategy],
        f"{found.steps:,.0f}",
        f"{found.steps_per_hour:,.0f}",
        f"{100.0 * found.share_of_bound:.1f} %",
        f"{found.mean_c:.1f}",
        f"{found.max_c:.1f}",
        f"{found.swing_c:.1f}",
        f"{found.above_pause_s:,.0f}",
        f"{found.pauses:,}",
        f"{found.decisions:,}",
        f"{found.energy_wh:,.0f}",
    )


def _room(room_c: tuple[float, ...]) -> str:
    lowest, highest = min(room_c), max(room_c)
    return f"{lowest:g}" if lowest == highest else f"{lowest:g}..{highest:g}"
