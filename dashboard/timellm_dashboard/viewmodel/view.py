"""The one view of a run, from which the screen, plain lines and JSON are drawn.

Everything that any of them shows is in it, as a value and as a text. Pure: the same state, history
and moment give the same view.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Literal

from msgspec import Struct, field

from timellm_dashboard.folds.history import EpochMark, History
from timellm_dashboard.folds.series import Point
from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.checkpoints import CheckpointPanel, checkpoint_panel
from timellm_dashboard.viewmodel.cooledholds import with_cooled_holds
from timellm_dashboard.viewmodel.feed import FeedLine, FeedMemory
from timellm_dashboard.viewmodel.figure import Figure
from timellm_dashboard.viewmodel.gpu import GpuCard, gpu_card
from timellm_dashboard.viewmodel.headline import Headline, headline, resume_command
from timellm_dashboard.viewmodel.host import HostView, host_view
from timellm_dashboard.viewmodel.ledger import LedgerView, ledger_view
from timellm_dashboard.viewmodel.look import LimitsOf, Look
from timellm_dashboard.viewmodel.losses import LossView, ResultsView, loss_view, results_view
from timellm_dashboard.viewmodel.progress import ProgressView, progress_view
from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_dashboard.viewmodel.rules import RulesView, rules_view
from timellm_dashboard.viewmodel.timeleft import TimeLeft, time_left
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.ascii import ascii_words, texts_in_ascii
from timellm_dashboard.words.keys import USUAL, Keys
from timellm_dashboard.words.names import backbone_name
from timellm_dashboard.words.phrases import clean, said
from timellm_dashboard.words.text import Lang, Words, words
from timellm_ops.contract.commands import StopMode
from timellm_ops.contract.counting import Count
from timellm_ops.contract.events import JournalRecord, Outcome, Telemetry
from timellm_ops.contract.policy_checks import KEPT_READINGS
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample


class RunView(Struct, frozen=True, kw_only=True):
    """What the run is."""

    run_id: str
    """What every command takes and `list` shows, known before the run begins."""
    begun: bool
    """Something of it is on record."""
    name: str
    engine: str
    resumed: bool
    supervised: bool
    started_at: datetime | None
    facts: str
    """`gpt2 on cuda · 56,231 windows · 152.4 M trainable`"""


class OutcomeView(Struct, frozen=True, kw_only=True):
    """How the run ended."""

    outcome: Outcome
    word: str
    exit_code: int | None
    reason: str
    ended_at: datetime | None
    ended_text: str
    resume_command: str


class Charts(Struct, frozen=True, kw_only=True):
    """Bounded series. Losses are against the run's steps, the GPU's against seconds under
    supervision."""

    loss: tuple[Point, ...] = ()
    smoothed_loss: tuple[Point, ...] = ()
    epochs: tuple[EpochMark, ...] = ()
    counts: Literal["steps", "records"] = "steps"
    """What the losses are against: a script may tell losses and no steps."""
    temperature: tuple[Point, ...] = ()
    power: tuple[Point, ...] = ()
    recent_temperature: tuple[tuple[float, float], ...] = ()


class View(Struct, frozen=True, kw_only=True):
    """All that is shown of a run at one moment."""

    lang: Lang
    ascii_only: bool
    at: datetime
    clock: str
    replay: str
    """Where in a replay this is; empty for a run as it is now."""
    run: RunView
    headline: Headline
    progress: ProgressView
    left: TimeLeft
    loss: LossView
    results: ResultsView
    gpu: GpuCard
    host: HostView
    ledger: LedgerView
    checkpoints: CheckpointPanel
    outcome: OutcomeView | None
    rules: RulesView
    stop: StopMode | None
    """How the run was told to stop, if it was and has not ended."""
    held_by_user: bool
    """A person has paused the run, whatever else holds it."""
    held_by_rules: bool
    """A rule has paused the run, whatever else holds it."""
    feed: tuple[FeedLine, ...]
    feed_left_out: int
    damaged_lines: Figure
    """Lines of the journal that could not be read. Its text is empty where there is none."""
    charts: Charts
    keys: Keys = field(default_factory=lambda: USUAL)
    """The keys that texts name. They are of this screen, and in no JSON."""
    read_only: bool = False
    """Whoever looks may only look."""

    @property
    def words(self) -> Words:
        """The texts that stand beside what is in the view."""
        return ascii_words() if self.ascii_only else words(self.lang)


class Recorder:
    """Folds journal records into what a view is built from."""

    def __init__(self) -> None:
        self.state = RunState()
        self.history = History()
        self._feed = FeedMemory()
        self.recent: deque[TimedSample] = deque(maxlen=KEPT_READINGS)
        """The latest readings of the GPU, as the rules see them."""
        self.records = 0
        """How many records were taken in."""
        self.damaged = 0
        """Lines of the journal that hold no record. Told by whoever reads them."""
        self.seen = self.history
        """The history as the latest view shows it: up to its moment, not to the last record."""

    def take(self, records: Iterable[JournalRecord]) -> None:
        """Take in records, in their order."""
        state, fold = self.state, self.history.fold
        for record in records:
            event = record.event
            before, state = state, reduce(state, event)
            fold(record.seq, before, event, state)
            if isinstance(event, Telemetry) and event.t is not None:
                self.recent.append(TimedSample(event.t, event.sample))
            self.state = state
            self.records += 1

    def view(self, moment: Moment, look: Look, *, loading: bool = False) -> View:
        """The view at `moment`."""
        feed = self._feed.lines(self.history, look)
        self.seen = self.history.at(self.state, moment)
        return build_view(
            self.state,
            self.seen,
            feed,
            moment,
            look,
            recent=self.recent,
            damaged=self.damaged,
            loading=loading,
        )


def build_view(
    state: RunState,
    history: History,
    feed: tuple[FeedLine, ...],
    moment: Moment,
    look: Look,
    *,
    recent: Sequence[TimedSample] = (),
    damaged: int = 0,
    loading: bool = False,
) -> View:
    """The view of a run in `state` with that history and those latest readings, at that moment."""
    state = with_cooled_holds(state, look)
    left = time_left(state, history, moment, look)
    view = View(
        lang=look.shown_lang,
        ascii_only=look.ascii_only,
        at=moment.wall,
        clock=f"{moment.wall.astimezone(look.zone):%H:%M}",
        replay=moment.replay,
        run=_run(state, moment, look),
        headline=headline(state, history, moment, look, loading=loading),
        progress=progress_view(state, history, moment, look),
        left=left,
        loss=loss_view(state, look),
        results=results_view(state, look),
        gpu=gpu_card(state, history, moment, look),
        host=host_view(state, moment, look),
        ledger=ledger_view(history.ledger, left, look),
        checkpoints=checkpoint_panel(state, history, moment, look),
        outcome=_outcome(state, moment, look),
        rules=rules_view(state, recent, moment, look, loading=loading),
        stop=None if state.ended else state.stop,
        held_by_user=any(hold.rule == "user" for hold in state.holds),
        held_by_rules=any(hold.rule != "user" for hold in state.holds),
        feed=feed,
        feed_left_out=history.feed_left_out,
        damaged_lines=_damaged(damaged, look),
        charts=_charts(state, history),
        keys=look.keys,
        read_only=look.read_only,
    )
    return texts_in_ascii(view, but="charts") if look.ascii_only else view


def view_of(
    records: Iterable[JournalRecord],
    *,
    now_t: float,
    wall_now: datetime,
    supervised: bool,
    lang: Lang = "en",
    ascii_only: bool = False,
    zone: tzinfo | None = None,
    limits: LimitsOf | None = None,
    rules: RulesOf | None = None,
    damaged: Callable[[], int] | None = None,
    run_id: str = "",
) -> View:
    """The view of a whole journal. `damaged`: how many of its lines could not be read, to be asked
    when the records are all there."""
    recorder = Recorder()
    recorder.take(records)
    recorder.damaged = 0 if damaged is None else damaged()
    look = Look(
        lang=lang, zone=zone, ascii_only=ascii_only, limits=limits, rules=rules, run_id=run_id
    )
    return recorder.view(Moment(t=now_t, wall=wall_now, supervised=supervised), look)


def _run(state: RunState, moment: Moment, look: Look) -> RunView:
    return RunView(
        run_id=clean(state.run_id or look.run_id),
        begun=state.run_id != "",
        name=clean(state.name),
        engine=state.engine,
        resumed=state.resumed,
        supervised=moment.supervised,
        started_at=state.started_at,
        facts=_facts(state, look),
    )


def _facts(state: RunState, look: Look) -> str:
    texts = look.words
    parts = []
    if state.engine == "foreign":
        parts.append(texts.script)
    elif state.engine == "imported":
        parts.append(texts.imported_log if state.best is None else texts.imported_weights)
    if state.backbone:
        backbone = backbone_name(clean(state.backbone), look.shown_lang)
        parts.append(texts.all_frozen_on.format(backbone=backbone, device=clean(state.device)))
    if state.train_samples is not None:
        parts.append(texts.windows_of.format(count=Count(state.train_samples)))
    if state.trainable_parameters is not None:
        weights = fmt.parameters(state.trainable_parameters)
        parts.append(texts.trainable.format(count=weights))
    if state.resumed:
        parts.append(texts.resumed_run)
    return " · ".join(parts)


def _outcome(state: RunState, moment: Moment, look: Look) -> OutcomeView | None:
    if state.outcome is None:
        return None
    texts, at = look.words, state.ended_at
    when = "" if at is None else fmt.day_and_time(at, moment.wall, look.zone, texts)
    return OutcomeView(
        outcome=state.outcome,
        word=getattr(texts, state.outcome),
        exit_code=state.exit_code,
        reason=said(state.end_reason, look.shown_lang),
        ended_at=at,
        ended_text=texts.ended_at.format(when=when) if when else "",
        resume_command=resume_command(state),
    )


def _damaged(lines: int, look: Look) -> Figure:
    text = look.words.damaged_lines.format(count=Count(lines)) if lines else ""
    return Figure(lines, text)


def _charts(state: RunState, history: History) -> Charts:
    untold = state.steps_per_epoch is None and state.iteration == 0
    return Charts(
        loss=history.losses.loss.points(),
        smoothed_loss=history.losses.smoothed.points(),
        epochs=tuple(history.epoch_marks),
        counts="records" if untold and history.records_without_step else "steps",
        temperature=history.gpu.temperature.points(),
        power=history.gpu.power.points(),
        recent_temperature=tuple(history.gpu.recent_temperature),
    )
