"""The task that tries a run: a few real steps and batches of evaluation, timed and measured.

It answers before there is a run: `timellm_ops.contract.plan` has question and answer. Nothing is
written; what is measured is what training would do, but for the checkpoints.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from msgspec import Struct

from timellm_engine.data.windows import Windows, epoch_order, in_batches, with_next
from timellm_engine.errors import TrainingError
from timellm_engine.model.quantised import parameter_total
from timellm_engine.task import Tell, read_question, run_task
from timellm_engine.training.build import Job, build, device_name
from timellm_engine.training.schedule import pace
from timellm_engine.training.step import NotFinite, Stepper
from timellm_ops.contract.plan import Measured, MeasureQuestion

_Done = Callable[[int], None]

WARM_UP = 1
"""Steps and batches before the clock is started; they count for memory."""


def measure(question: MeasureQuestion, tell: Tell) -> Measured:
    """Build the job, make its first steps, and evaluate the first validation windows."""
    job = build(question.config)
    total = 2 * WARM_UP + question.steps + question.batches
    peak = _Peak(job.device)
    step_s = _steps(job, question.steps, lambda done: tell("measuring", done, total))
    training_peak = peak.take()
    before = WARM_UP + question.steps
    windows_s = _evaluation(
        job, question.batches, lambda done: tell("measuring", before + done, total)
    )
    return Measured(
        device=device_name(job.device),
        steps=question.steps,
        batches=question.batches,
        seconds_per_step=step_s,
        windows_per_second=windows_s,
        training_peak_bytes=training_peak,
        evaluation_peak_bytes=peak.take(),
        prompt_tokens=_prompt_tokens(job),
        trainable_parameters=sum(p.numel() for p in job.trainable),
        backbone_parameters=parameter_total(job.backbone.model),
    )


def _steps(job: Job, count: int, done: _Done) -> float:
    """Seconds a step, the median; full batches, even where an epoch has fewer of them."""
    train, windows = job.config.train, job.data.train
    stepper = Stepper(train, job.model, job.optimiser, job.trainable)
    order = epoch_order(job.config.run.seed, 1, len(windows))
    job.model.train()
    taken = []
    size = train.batch_size
    places = (torch.arange(size).add(step * size) % len(order) for step in range(WARM_UP + count))
    batches = with_next(windows.batch(order[of_step]) for of_step in places)
    for step, ((x, y), following) in enumerate(batches):
        began = _now(job.device)
        upcoming = None if following is None else following[0]
        try:
            stepper.take(x, y, pace(train, job.steps_per_epoch, step), upcoming)
        except NotFinite as error:
            raise TrainingError(f"{error} in step {step + 1}") from None
        taken.append(_now(job.device) - began)
        done(step + 1)
    return sorted(taken[WARM_UP:])[count // 2]


def _evaluation(job: Job, count: int, done: _Done) -> float:
    """Windows a second."""
    windows, size = job.data.vali, job.config.train.eval_batch_size
    job.model.eval()
    measured, spent_s = 0, 0.0
    batches = list(in_batches(torch.arange(len(windows)), size))
    with torch.inference_mode():
        prototypes = job.model.text_prototypes()  # once for all, as in `evaluate`
        for number in range(WARM_UP + count):
            x, _ = windows.batch(batches[number % len(batches)])
            began = _now(job.device)
            job.model(x, prototypes)
            if number >= WARM_UP:
                spent_s += _now(job.device) - began
                measured += len(x)
            done(number + 1)
    return measured / spent_s


def _prompt_tokens(job: Job) -> int:
    """Of the longest of a few prompts."""
    windows: Windows = job.data.train
    x, _ = windows.batch(torch.arange(min(32, len(windows))))
    return max(map(len, job.model.tokenize(job.model.prompts(x))))


def _now(device: torch.device) -> float:
    """Time, with everything done that was begun on the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class _Peak:
    """The most memory since the last look: of the process on a CPU, of the card on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._begin()

    def take(self) -> int:
        """The peak, in bytes; the next one counts from here, where the system can do that."""
        found = self._peak()
        self._begin()
        return found

    def _begin(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return

    def _peak(self) -> int:
        if self._device.type == "cuda":
            free, total = torch.cuda.mem_get_info(self._device)
            outside = total - free - torch.cuda.memory_reserved(self._device)
            return torch.cuda.max_memory_reserved(self._device) + outside
        try:
            status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
            return 1024 * int(status.split("VmHWM:")[1].split()[0])
        except (OSError, IndexError, ValueError):
            return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _work(tell: Tell) -> Struct:
    return measure(read_question(MeasureQuestion), tell)


if __name__ == "__main__":
    sys.exit(run_task(_work))
