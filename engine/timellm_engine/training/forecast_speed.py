"""How fast forecasts are made, tried out once training moves: an evaluation may take longer than
an epoch's steps, and nobody can say when a run ends without knowing that."""

import torch

from timellm_engine.clock import Clock
from timellm_engine.data.windows import Windows
from timellm_engine.training.build import Job
from timellm_ops.contract.shapes import evaluated_at_once


def windows_per_second(job: Job, windows: Windows, clock: Clock) -> float | None:
    """Of one batch such as an evaluation makes, cut down to what the model answers at once.

    Draws nothing and changes no weight, so training goes on as it would have. `None` where the
    clock has not moved.
    """
    model, size = job.model, job.config.train.eval_batch_size
    at_once = evaluated_at_once(
        model.patches, job.backbone.hidden_size, on_a_gpu=job.device.type == "cuda"
    )
    size = min(size, at_once, len(windows))
    model.train(False)
    with torch.inference_mode():
        prototypes = model.text_prototypes()
        prototypes.sum().item()  # a GPU answers once it is done
        x, _ = windows.batch(torch.arange(size))
        began = clock.monotonic()
        model(x, prototypes).sum().item()
        took = clock.monotonic() - began
    model.train()
    return size / took if took > 0.0 else None
