"""A run's end: the best weights are taken from the disk, tested, and made into a bundle."""

from collections.abc import Callable

from timellm_engine.checkpoints.checkpoint import Storage
from timellm_engine.checkpoints.snapshot import Position, check_belongs, position_of
from timellm_engine.emit import Emitter
from timellm_engine.training.build import Job
from timellm_engine.training.evaluate import Errors
from timellm_engine.training.saving import Saver
from timellm_ops.contract import events as ev


class Ending:
    """What is left to do when training is over at `position`."""

    def __init__(
        self, job: Job, position: Position, saver: Saver, storage: Storage, emitter: Emitter
    ) -> None:
        self._job, self._position = job, position
        self._saver, self._storage, self._emitter = saver, storage, emitter

    def make(self, evaluate: Callable[[], Errors]) -> None:
        """The final test with the best weights; the last ones are put back after it.

        `evaluate` gives the model's errors over the test windows. It is not asked where these
        were evaluated with the same weights already, or are not to be evaluated.
        """
        model = self._job.model
        self._job.optimiser.zero_grad(set_to_none=True)
        last = {name: tensor.clone() for name, tensor in model.trainable_state().items()}
        epoch, test = self._load_best()
        try:
            if test is None and self._job.config.train.test != "never":
                test = evaluate()
            self._saver.bundle(epoch, test)
        finally:
            model.load_trainable_state(last)
        if test is not None:
            self._tell(epoch, test)
        self._emitter.event(ev.TrainingFinished(epoch=self._position.epoch, best_epoch=epoch))

    def _tell(self, epoch: int, test: Errors) -> None:
        windows = len(self._job.data.test)
        self._emitter.line(
            f"Test with the weights of epoch {epoch}: MSE {test.mse:.7f} MAE {test.mae:.7f} "
            f"over {windows} windows"
        )
        self._emitter.event(
            ev.TestEvaluated(mse=test.mse, mae=test.mae, windows=windows, epoch=epoch)
        )

    def _load_best(self) -> tuple[int, Errors | None]:
        """Put the best weights into the model, as they lie on disk; the epoch that they are of.

        And their errors over the test windows, where these were evaluated at that epoch's end.
        """
        contents = self._saver.unsaved_best
        if contents is not None:
            self._emitter.alert("the best weights could not be written; those at hand are taken")
        else:
            found = self._storage.load("best")
            for problem in found.problems:
                self._emitter.alert(problem)
            contents = found.contents
        if contents is None:
            self._emitter.alert(
                "no best checkpoint is on disk; the last weights are taken for the best"
            )
            return self._position.epoch, None
        check_belongs(contents, self._job.identity)
        self._job.model.load_trainable_state(contents.tensors["weights"])
        best = position_of(contents)
        return best.epoch, None if best.best_test is None else Errors(*best.best_test)
