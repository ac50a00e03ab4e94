"""Seconds of a training step and windows evaluated in a second, on the CPU.

    python benchmarks/training_step.py [--source embedded] [--batch 128] [--threads 2]

Windows of 512 steps to 96, random walks. Also times the attention with dropout by itself, ours
in blocks against torch's fallback for the same, side by side, since that is what dominates a step
with a small backbone.
"""

import argparse
import resource
import time
from collections.abc import Callable

import torch
from torch.nn import functional

from timellm_engine.model.attention import attend
from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.prompts import default_description
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

SEQ_LEN, PRED_LEN, EVAL_BATCH = 512, 96, 256


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The median over `repeats`, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[repeats // 2]


def time_model(source: str, batch: int, repeats: int) -> None:
    """Training steps with Adam and evaluation, with the default settings of the model."""
    backbone = load_backbone(BackboneSection(source=source), seed=0)
    model = TimeLLM(
        backbone, ModelSection(), PromptSection(), default_description("ETTh1"), SEQ_LEN, PRED_LEN
    )
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])

    def step() -> None:
        x, y = torch.randn(batch, SEQ_LEN).cumsum(dim=1), torch.randn(batch, PRED_LEN)
        optimiser.zero_grad()
        functional.mse_loss(model(x), y).backward()
        optimiser.step()

    def evaluate() -> None:
        with torch.inference_mode():
            model(torch.randn(EVAL_BATCH, SEQ_LEN).cumsum(dim=1))

    model.train()
    print(f"training, batch {batch}: {seconds(step, repeats):.3f} s a step")
    model.eval()
    print(f"evaluation: {EVAL_BATCH / seconds(evaluate, repeats):.0f} windows a second")
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory of the process: {peak_kib / 2**20:.2f} GiB")


def time_attention(batch: int, repeats: int) -> None:
    """Forward and backward of the reprogramming attention, 8 heads of 32, 1,000 prototypes."""
    inputs = [torch.randn(8, n, 32, requires_grad=True) for n in (64 * batch, 1000, 1000)]

    def blocks() -> None:
        attend(*inputs, dropout=0.1).sum().backward()

    def fallback() -> None:
        queries, keys, values = (tensor.unsqueeze(0) for tensor in inputs)
        functional.scaled_dot_product_attention(
            queries, keys, values, dropout_p=0.1
        ).sum().backward()

    ours, torchs = seconds(blocks, repeats), seconds(fallback, repeats)
    print(f"attention with dropout: {ours:.3f} s in blocks, {torchs:.3f} s torch's own way", end="")
    print(f" ({torchs / ours:.1f} times)")


def main() -> None:
    """Time what was asked for."""
    parser = argparse.ArgumentParser(description="Time training steps on the CPU.")
    parser.add_argument("--source", default="embedded", help="as backbone.source")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    time_model(chosen.source, chosen.batch, chosen.repeats)
    time_attention(chosen.batch, chosen.repeats)


if __name__ == "__main__":
    main()
