"""The loss as it is now, and the table of the epochs that have ended."""

from msgspec import Struct

from timellm_dashboard.viewmodel.figure import Figure, figure
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.losses import LOSS_NAMES
from timellm_ops.contract.counting import Count
from timellm_ops.contract.state import EpochRow, RunState


class LossView(Struct, frozen=True, kw_only=True):
    """What training makes small, on scaled data: `unit` and `title` name it."""

    unit: str
    title: str
    absent: str
    """Why there is no loss to be shown; empty where there is one."""
    raw: Figure
    smoothed: Figure
    lr: Figure
    grad_norm: Figure


class EpochView(Struct, frozen=True, kw_only=True):
    """A row of the table. What was not measured is a dash."""

    epoch: int
    train_mse: Figure
    vali_mse: Figure
    test_mse: Figure
    test_mae: Figure
    seconds: Figure
    lr: Figure
    best: bool
    saved: bool
    """Its weights are those that are on disk as `best`: of one epoch at most, for a better one
    replaces them."""


class ResultsView(Struct, frozen=True, kw_only=True):
    """What came out, epoch by epoch, and in the final test."""

    rows: tuple[EpochView, ...]
    best_epoch: int | None
    patience: Figure
    final_mse: Figure
    final_mae: Figure
    final_text: str


def loss_view(state: RunState, look: Look) -> LossView:
    """The loss of the latest step that was reported."""
    return LossView(
        unit=look.words.loss_unit.format(loss=LOSS_NAMES[state.loss_name]),
        title=look.words.loss_title.format(loss=LOSS_NAMES[state.loss_name]),
        absent=_absent(state, look),
        raw=figure(state.loss, fmt.loss, "—"),
        smoothed=figure(state.smoothed_loss, fmt.loss, "—"),
        lr=figure(state.lr, fmt.rate, "—"),
        grad_norm=figure(state.grad_norm, lambda norm: f"{norm:.3g}", "—"),
    )


def _absent(state: RunState, look: Look) -> str:
    if state.loss is not None:
        return ""
    told_without = bool(state.recent_training) and state.engine != "timellm"
    if told_without:
        return look.words.loss_untold
    return look.words.loss_never if state.ended else look.words.loss_none


def results_view(state: RunState, look: Look) -> ResultsView:
    """Every epoch that has ended, in order."""
    words = look.words
    mse, mae = figure(state.final_mse, fmt.loss, "—"), figure(state.final_mae, fmt.loss, "—")
    final = "" if state.final_mse is None else words.final_test.format(mse=mse.text, mae=mae.text)
    return ResultsView(
        rows=tuple(_row(row, state) for row in state.rows),
        best_epoch=state.best_epoch,
        patience=_patience(state, look),
        final_mse=mse,
        final_mae=mae,
        final_text=final,
    )


def _row(row: EpochRow, state: RunState) -> EpochView:
    return EpochView(
        epoch=row.epoch,
        train_mse=figure(row.train_mse, fmt.loss, "—"),
        vali_mse=figure(row.vali_mse, fmt.loss, "—"),
        test_mse=figure(row.test_mse, fmt.loss, "—"),
        test_mae=figure(row.test_mae, fmt.loss, "—"),
        seconds=figure(row.seconds, fmt.brief_duration, "—"),
        lr=figure(row.lr, fmt.rate, "—"),
        best=row.epoch == state.best_epoch,
        saved=state.best is not None and row.epoch == state.best.epoch,
    )


def _patience(state: RunState, look: Look) -> Figure:
    if state.patience is None or not state.rows:
        return Figure(None, "")
    text = look.words.patience.format(counter=state.early_counter, patience=Count(state.patience))
    return Figure(state.early_counter, text)
