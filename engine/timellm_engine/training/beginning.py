"""A run's beginning: what is done before its first step, where the config asks for it."""

from functools import partial

from timellm_engine.checkpoints.snapshot import Position
from timellm_engine.clock import Clock, Throttle
from timellm_engine.emit import Emitter
from timellm_engine.errors import TrainingError
from timellm_engine.training.between import REPORT_EVERY_S, Between
from timellm_engine.training.build import Job
from timellm_engine.training.control import Controls
from timellm_engine.training.head_start import solve_head
from timellm_engine.training.losses import head_weights
from timellm_ops.contract import events as ev
from timellm_ops.contract.shapes import head_windows


def begin_head(
    job: Job, position: Position, emitter: Emitter, controls: Controls, clock: Clock
) -> None:
    """Solve for what the head begins with, if that is wanted and no step is made yet.

    A run that is stopped before its first step solves for it again, with the same result. Raises
    `TrainingError` where none is found, and what the controls raise.
    """
    config, data = job.config, job.data
    begun = position.epoch > 1 or position.iteration > 0 or position.evaluated
    if config.model.head_start == "drawn" or begun:
        return
    total = head_windows(len(data.train), len(data.vali))
    report = Throttle(clock, REPORT_EVERY_S)

    def tell(done: int) -> None:
        if report.due(always=done == 0):
            emitter.event(ev.HeadProgress(done=done, total=total))

    between = Between(controls, clock, total, tell, to_the_end=True)
    try:
        solved = solve_head(
            job.model,
            data.train,
            data.vali,
            weights=partial(head_weights, config.train),
            seed=config.run.seed,
            between=between,
        )
    except ArithmeticError as error:
        raise TrainingError(f'model.head_start = "solved": {error}') from None
    emitter.event(
        ev.HeadSolved(
            windows=solved.windows,
            penalty=solved.penalty,
            vali_mse=solved.vali_mse,
            seconds=between.spent_s,
        )
    )
    emitter.line(
        f"The head is solved for over {solved.windows} training windows: validation MSE "
        f"{solved.vali_mse:.7f}, penalty {solved.penalty:g}, {between.spent_s:.1f} s"
    )
