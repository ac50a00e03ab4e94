"""The throttle ledger for the eye: what each cause took, and what it costs in time left."""

from msgspec import Struct
from msgspec.structs import replace

from timellm_dashboard import format as fmt
from timellm_dashboard.figure import Figure, figure, steps
from timellm_dashboard.headline import rule_name
from timellm_dashboard.ledger import OTHER, Ledger, Loss
from timellm_dashboard.look import Look
from timellm_dashboard.text import Words
from timellm_dashboard.text_timeline import TimelineWords, timeline_words
from timellm_dashboard.timeleft import TimeLeft

_DASH = "—"


class LedgerRow(Struct, frozen=True, kw_only=True):
    """A cause, or all of them. Times are in seconds, the share is of the supervised time."""

    cause: str
    name: str
    lasted: Figure
    lost: Figure
    steps: Figure
    """Steps that could have been made in the time lost, at the card's full speed."""
    share: Figure
    recent: Figure
    """Seconds lost in the last hour."""
    ahead: Figure
    """Seconds of the time left that this will take if it goes on like in the last hour."""


class LedgerView(Struct, frozen=True, kw_only=True):
    """The ledger. `line` is the whole of it, its `parts` the most important first."""

    rows: tuple[LedgerRow, ...]
    total: LedgerRow
    spent: tuple[Figure, ...]
    """Training, evaluating, loading, paused, and unsupervised where there was such a time."""
    parts: tuple[str, ...]
    line: str


def ledger_view(ledger: Ledger, left: TimeLeft, look: Look) -> LedgerView:
    """The ledger of a run that has `left` to go. The greatest losses are its first rows."""
    own = timeline_words(look.shown_lang)
    losses = sorted(ledger.losses, key=lambda loss: -(loss.lost_s or 0.0))
    rows = tuple(
        _row(loss, _name(loss.cause, own, look.words), ledger, left, own, look.words)
        for loss in losses
    )
    total = _total(losses, ledger, left, own, look.words)
    parts = _parts(rows, total, losses, own)
    return LedgerView(
        rows=rows, total=total, spent=_spent(ledger, own, look.words), parts=parts,
        line=" · ".join(parts),
    )  # fmt: skip


def _name(cause: str, own: TimelineWords, words: Words) -> str:
    known = {
        "user": own.cause_user, OTHER: own.cause_other, "pace": own.cause_pace,
        "heat": own.cause_heat, "power_cap": own.cause_power_cap,
    }  # fmt: skip
    return known.get(cause) or own.cause_hold.format(rule=rule_name(cause, words))


def _row(
    loss: Loss, name: str, ledger: Ledger, left: TimeLeft, own: TimelineWords, words: Words
) -> LedgerRow:
    lost_s, supervised_s = loss.lost_s, ledger.spent.supervised_s
    return LedgerRow(
        cause=loss.cause,
        name=name,
        lasted=Figure(loss.lasted_s, fmt.duration(loss.lasted_s, words)),
        lost=figure(lost_s, lambda s: fmt.duration(s, words), own.unknown),
        steps=_steps(lost_s, ledger.step_s, words),
        share=figure(
            None if lost_s is None or supervised_s <= 0 else lost_s / supervised_s,
            _percent,
            _DASH,
        ),
        recent=figure(loss.recent_lost_s, lambda s: fmt.duration(s, words), _DASH),
        ahead=_ahead(loss.recent_lost_s, ledger, left, words),
    )


def _total(
    losses: list[Loss], ledger: Ledger, left: TimeLeft, own: TimelineWords, words: Words
) -> LedgerRow:
    """All causes. How long they lasted is no sum, for a pace and a slowdown may go together; and
    what is lost is a lower bound, and says so, where one of them cost nobody knows what."""
    lost_s = sum(loss.lost_s or 0.0 for loss in losses)
    recent_s = sum(loss.recent_lost_s or 0.0 for loss in losses)
    every = Loss(
        cause="all",
        lasted_s=sum(loss.lasted_s for loss in losses),
        lost_s=lost_s,
        recent_lost_s=recent_s,
    )
    row = _row(every, own.all_causes, ledger, left, own, words)
    known = all(loss.lost_s is not None for loss in losses)
    lost = row.lost.text if known else own.at_least.format(time=row.lost.text)
    return replace(row, lasted=Figure(None, ""), lost=Figure(lost_s, lost))


def _percent(share: float) -> str:
    """A share of time; one that is not nothing is not written as nothing."""
    return "<1 %" if 0 < share < 0.01 else fmt.percent(share)


def _steps(lost_s: float | None, step_s: float | None, words: Words) -> Figure:
    if lost_s is None or not step_s:
        return Figure(None, _DASH)
    number = int(lost_s / step_s)
    return Figure(number, steps(number, words))


def _ahead(recent_s: float | None, ledger: Ledger, left: TimeLeft, words: Words) -> Figure:
    if recent_s is None or left.seconds is None or ledger.recent_s <= 0:
        return Figure(None, _DASH)
    seconds = left.seconds * recent_s / ledger.recent_s
    return Figure(seconds, fmt.rough(seconds, words) if seconds >= 1.0 else _DASH)


def _spent(ledger: Ledger, own: TimelineWords, words: Words) -> tuple[Figure, ...]:
    spent = ledger.spent
    parts = [
        (own.spent_training, spent.training_s),
        (own.spent_evaluating, spent.evaluating_s),
        (own.spent_loading, spent.loading_s),
        (own.spent_standing, spent.standing_s),
    ]
    if spent.unsupervised_s > 0:
        parts.append((own.spent_unsupervised, spent.unsupervised_s))
    return tuple(
        Figure(seconds, text.format(time=fmt.duration(seconds, words))) for text, seconds in parts
    )


def _parts(
    rows: tuple[LedgerRow, ...], total: LedgerRow, losses: list[Loss], own: TimelineWords
) -> tuple[str, ...]:
    """`lost 12 min 00 s (3 %)`, each cause, and what the time left has of it."""
    if not any(loss.lasted_s > 0 for loss in losses):
        return (own.lost_nothing,)
    parts = []
    if total.lost.value:
        parts.append(own.lost_line.format(time=total.lost.text, share=total.share.text))
    if total.ahead.value is not None and total.ahead.value >= 1.0:
        parts.append(own.ahead_line.format(time=total.ahead.text))
    for row in rows:
        known = row.lost.value is not None
        if not known:
            time = f"{row.lasted.text}, {own.lost_unknown}"
            parts.append(own.lost_part.format(cause=row.name, time=time))
        elif len(rows) > 1 or not total.lost.value:
            parts.append(own.lost_part.format(cause=row.name, time=row.lost.text))
        else:
            parts.append(row.name)
    return tuple(parts)
