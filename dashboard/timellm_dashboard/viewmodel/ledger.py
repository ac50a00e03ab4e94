"""The throttle ledger for the eye: what each cause took, and what it costs in time left."""

from collections.abc import Sequence

from msgspec import Struct

from timellm_dashboard.folds.ledger import REPEATED, Ledger
from timellm_dashboard.folds.silence import CAUSE as SILENT
from timellm_dashboard.folds.spent import Loss
from timellm_dashboard.folds.standing import OTHER
from timellm_dashboard.viewmodel.figure import Figure, figure, steps
from timellm_dashboard.viewmodel.headline import rule_name
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeleft import TimeLeft
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.timeline import timeline_words

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
    """Seconds of the time left that this will take if it goes on like in the last hour, pauses by a
    person and silence not counted."""


class LedgerView(Struct, frozen=True, kw_only=True):
    """The ledger. `line` is the whole of it, its `parts` the most important first."""

    rows: tuple[LedgerRow, ...]
    total: LedgerRow
    spent: tuple[Figure, ...]
    """Training, evaluating, loading, paused, and silent, unsupervised and not running where there
    was such a time."""
    parts: tuple[str, ...]
    line: str


def ledger_view(ledger: Ledger, left: TimeLeft, look: Look) -> LedgerView:
    """The ledger of a run that has `left` to go. The greatest losses are its first rows."""
    losses = sorted(ledger.losses, key=lambda loss: -(loss.lost_s or 0.0))
    write = _Writer(ledger, losses, left, look)
    rows = tuple(write.row(loss) for loss in losses)
    total = write.total(rows)
    parts = write.parts(rows, total)
    return LedgerView(
        rows=rows, total=total, spent=write.spent(), parts=parts, line=" · ".join(parts)
    )


class _Writer:
    """Numbers of one ledger, as texts of one language."""

    def __init__(self, ledger: Ledger, losses: Sequence[Loss], left: TimeLeft, look: Look) -> None:
        self._losses, self._words = losses, look.words
        self._own = timeline_words(look.shown_lang)
        self._spent, self._step_s = ledger.spent, ledger.step_s
        known = [loss for loss in losses if loss.lost_s is not None]
        shares = [self._share(loss.lost_s).value or 0.0 for loss in known]
        told = zip((loss.cause for loss in known), fmt.portions(shares), strict=True)
        self._shares = dict(told) if self._spent.supervised_s > 0 else {}
        once_s = sum(loss.recent_lost_s or 0.0 for loss in losses if _is_no_rate(loss))
        recent_s = ledger.recent_s - once_s
        self._ahead_rate = (
            None if left.seconds is None or recent_s <= 0 else left.seconds / recent_s
        )

    def row(self, loss: Loss) -> LedgerRow:
        """What one cause took. What is no rate foretells nothing."""
        recent_s, unknown = loss.recent_lost_s, self._own.unknown
        ahead_s = None
        if recent_s is not None and self._ahead_rate is not None and not _is_no_rate(loss):
            ahead_s = recent_s * self._ahead_rate
        return LedgerRow(
            cause=loss.cause,
            name=self._name(loss.cause),
            lasted=Figure(loss.lasted_s, self._duration(loss.lasted_s)),
            lost=figure(loss.lost_s, self._duration, unknown),
            steps=self._steps_of(loss),
            share=self._share_of(loss),
            recent=figure(recent_s, self._duration, _DASH),
            ahead=self._ahead(ahead_s),
        )

    def total(self, rows: Sequence[LedgerRow]) -> LedgerRow:
        """All causes. How long they lasted is no sum, for a pace and a slowdown may go together;
        and what is lost is a lower bound, and says so, where one of them cost nobody knows what."""
        losses = self._losses
        lost_s = sum(loss.lost_s or 0.0 for loss in losses)
        recent_s = sum(loss.recent_lost_s or 0.0 for loss in losses)
        ahead = [row.ahead.value for row in rows if row.ahead.value is not None]
        lost = self._duration(lost_s)
        if any(loss.lost_s is None for loss in losses):
            lost = self._own.at_least.format(time=lost)
        return LedgerRow(
            cause="all",
            name=self._own.all_causes,
            lasted=Figure(None, ""),
            lost=Figure(lost_s, lost),
            steps=self._steps(lost_s),
            share=self._share(lost_s),
            recent=Figure(recent_s, self._duration(recent_s)),
            ahead=self._ahead(sum(ahead) if ahead else None),
        )

    def spent(self) -> tuple[Figure, ...]:
        """Where the time went."""
        spent, own = self._spent, self._own
        parts = [
            (own.spent_training, spent.training_s),
            (own.spent_evaluating, spent.evaluating_s),
            (own.spent_loading, spent.loading_s),
            (own.spent_standing, spent.standing_s),
        ]
        if spent.silent_s > 0:
            parts.append((own.spent_silent, spent.silent_s))
        if spent.unsupervised_s > 0:
            parts.append((own.spent_unsupervised, spent.unsupervised_s))
        if spent.ended_s > 0:
            parts.append((own.spent_ended, spent.ended_s))
        return tuple(Figure(s, text.format(time=self._duration(s))) for text, s in parts)

    def parts(self, rows: Sequence[LedgerRow], total: LedgerRow) -> tuple[str, ...]:
        """`lost 12 min 00 s (3 %)`, what the time left has of it, and each cause."""
        own, parts = self._own, []
        if not any(row.lasted.value or row.cause == REPEATED for row in rows):
            return (own.lost_nothing,)
        if total.lost.value:
            parts.append(own.lost_line.format(time=total.lost.text, share=total.share.text))
        if total.ahead.value:
            parts.append(own.ahead_line.format(time=total.ahead.text))
        for row in rows:
            if row.lost.value is None:
                time = f"{row.lasted.text}{self._words.comma}{own.lost_unknown}"
                parts.append(own.lost_part.format(cause=row.name, time=time))
            elif row.cause == REPEATED and row.steps.value:
                parts.append(
                    own.lost_repeated.format(
                        cause=row.name, steps=row.steps.text, time=row.lost.text
                    )
                )
            elif len(rows) > 1:
                parts.append(own.lost_part.format(cause=row.name, time=row.lost.text))
            else:
                parts.append(row.name)
        return tuple(parts)

    def _name(self, cause: str) -> str:
        own = self._own
        known = {
            "user": own.cause_user, OTHER: own.cause_other, "pace": own.cause_pace,
            SILENT: own.cause_silent, REPEATED: own.cause_repeated,
            "heat": own.cause_heat, "power_cap": own.cause_power_cap,
        }  # fmt: skip
        return known.get(cause) or own.cause_hold.format(rule=rule_name(cause, self._words))

    def _duration(self, seconds: float) -> str:
        return fmt.duration(seconds, self._words)

    def _steps(self, lost_s: float | None) -> Figure:
        if lost_s is None or not self._step_s:
            return Figure(None, _DASH)
        number = int(lost_s / self._step_s)
        return Figure(number, steps(number, self._words))

    def _steps_of(self, loss: Loss) -> Figure:
        if loss.steps is None:
            return self._steps(loss.lost_s)
        return Figure(loss.steps, steps(loss.steps, self._words))

    def _share(self, lost_s: float | None) -> Figure:
        """Of the supervised time; one that is not nothing is not written as nothing."""
        if lost_s is None or self._spent.supervised_s <= 0:
            return Figure(None, _DASH)
        share = lost_s / self._spent.supervised_s
        return Figure(share, fmt.portion(share))

    def _share_of(self, loss: Loss) -> Figure:
        """That of one cause, so written that all of them add up to the share of the total."""
        share = self._share(loss.lost_s)
        return Figure(share.value, self._shares.get(loss.cause, share.text))

    def _ahead(self, seconds: float | None) -> Figure:
        if seconds is None or seconds < 1.0:
            return Figure(None, _DASH)
        return Figure(seconds, fmt.rough(seconds, self._words))


def _is_no_rate(loss: Loss) -> bool:
    """What a person did, or what befell the engine, says nothing of the time to come."""
    return loss.cause in ("user", OTHER, SILENT, REPEATED)
