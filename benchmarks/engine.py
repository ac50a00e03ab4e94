"""The engine against the published computation, side by side in one run.

    python benchmarks/engine.py [--shape gpt2-small] [--batch 4] [--rounds 7] [--device cpu]

Every variant trains the same shape of model on the same windows, 512 steps to 96, over a backbone
of a real family's code with random weights: `published` is the computation of the published code
(`published_computation.py`), the others are the engine's modes. Steps of all variants take turns,
so that a machine's moods meet all of them; medians and ratios are printed. Peak memory and start-up
are those of a process of its own for each variant, and sizes are those of the real files.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from published_computation import PublishedTimeLLM
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from timellm_engine.data.prepare import Data, prepare
from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.embedded import embedded_tokenizer
from timellm_engine.model.precision import Precision
from timellm_engine.model.prompts import default_description
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.optimiser import make_optimiser
from timellm_engine.training.schedule import Pace
from timellm_engine.training.step import Stepper
from timellm_ops.contract.config import (
    BackboneSection,
    DataSection,
    ModelSection,
    PromptSection,
    TrainSection,
)

SEQ_LEN, PRED_LEN, LAYERS = 512, 96, 6
RATE = 1e-3
EVALUATED = 64
"""Windows of an evaluation that is timed."""
MIB = 1 << 20

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2-small": ("gpt2", {"n_layer": LAYERS, "vocab_size": 50_257}),
    "qwen2.5-0.5b": (
        "qwen2",
        {
            "vocab_size": 151_936, "hidden_size": 896, "intermediate_size": 4_864,
            "num_hidden_layers": LAYERS, "num_attention_heads": 14, "num_key_value_heads": 2,
        },
    ),
    "tiny": ("gpt2", {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 1_000}),
}  # fmt: skip
"""A family of `transformers` and its settings."""


class Variant(NamedTuple):
    """What is measured: whose computation, in which parametrisation and precision."""

    name: str
    prototypes: str
    """`published`, or the engine's `model.prototypes`."""
    precision: Precision


VARIANTS = (
    Variant("published fp32", "published", "fp32"),
    Variant("published bf16", "published", "bf16"),
    Variant("mapping fp32", "mapping", "fp32"),
    Variant("mapping bf16", "mapping", "bf16"),
    Variant("direct fp32", "direct", "fp32"),
    Variant("direct bf16", "direct", "bf16"),
)


class Contender(NamedTuple):
    """A variant, built: one step of training, one evaluation, and its trained tensors."""

    step: Callable[[int], float]
    evaluate: Callable[[], None]
    state: Callable[[], dict[str, Tensor]]
    bundle: Callable[[], dict[str, Tensor]] | None


def write_backbone(shape: str, folder: Path) -> None:
    """A backbone of this shape with random weights, and the embedded one's tokenizer."""
    from transformers import AutoConfig, AutoModel

    family, settings = SHAPES[shape]
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(family, **settings, **ends)).save_pretrained(folder)
    embedded_tokenizer().save_pretrained(folder)


def build(variant: Variant, folder: Path, data: Data, batch: int, device: str) -> Contender:
    """The variant on `device`; weights are drawn, so every variant does the same work."""
    torch.manual_seed(1)
    if variant.prototypes == "published":
        return _published(variant, folder, data, batch, device)
    section = BackboneSection(
        source=str(folder), dtype="bfloat16" if variant.precision == "bf16" else "float32"
    )
    return _ours(variant, load_backbone(section, 0, device), data, batch, device)


def _published(variant: Variant, folder: Path, data: Data, batch: int, device: str) -> Contender:
    """As the published code runs it: backbone in float32, autocast for bf16, torch's plain Adam."""
    from transformers import AutoModel

    backbone = AutoModel.from_pretrained(folder, attn_implementation="eager")
    model = PublishedTimeLLM(
        backbone,
        embedded_tokenizer(),
        {
            "seq_len": SEQ_LEN, "pred_len": PRED_LEN, "patch_len": 16, "stride": 8, "d_model": 32,
            "n_heads": 8, "d_ff": 32, "num_prototypes": 1000,
        },
        default_description("ETTh1"),
    ).to(device)  # fmt: skip
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.Adam(trained.values(), lr=RATE)

    def forward(x: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=variant.precision == "bf16"):
            return model(x.unsqueeze(-1)).squeeze(-1).float()

    def step(number: int) -> float:
        model.train()
        x, y = _batch(data, number, batch)
        optimiser.zero_grad()
        loss = functional.mse_loss(forward(x), y)
        loss.backward()
        optimiser.step()
        return loss.item()

    def state() -> dict[str, Tensor]:
        # `words` is the backbone's own embedding, once more.
        tensors = model.state_dict().items()
        return {name: tensor for name, tensor in tensors if not name.startswith("words.")}

    return Contender(step, _evaluation(model, forward, data, batch), state, None)


def _ours(variant: Variant, backbone: Backbone, data: Data, batch: int, device: str) -> Contender:
    model = TimeLLM(
        backbone,
        ModelSection(prototypes=variant.prototypes),
        PromptSection(),
        default_description("ETTh1"),
        SEQ_LEN,
        PRED_LEN,
        precision=variant.precision,
    ).to(device)
    train = TrainSection(batch_size=batch, learning_rate=RATE)
    trainable = [p for p in model.parameters() if p.requires_grad]
    stepper = Stepper(train, model, make_optimiser(train, trainable), trainable)

    def step(number: int) -> float:
        model.train()
        return stepper.take(*_batch(data, number, batch), Pace(RATE)).loss

    # Forecasts do not depend on the windows beside them: evaluations run in large batches.
    evaluate = _evaluation(model, model, data, EVALUATED)
    return Contender(step, evaluate, model.trainable_state, model.folded_state)


def _batch(data: Data, number: int, size: int) -> tuple[Tensor, Tensor]:
    return data.train.batch(torch.arange(number * size, (number + 1) * size) % len(data.train))


def _evaluation(
    model: nn.Module, forward: Callable[[Tensor], Tensor], data: Data, at_once: int
) -> Callable[[], None]:
    def evaluate() -> None:
        model.eval()
        with torch.inference_mode():
            for number in range(-(-EVALUATED // at_once)):
                forward(_batch(data, number, at_once)[0])

    return evaluate


def timed(work: Callable[[], object], device: str) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def measure_alone(name: str, folder: Path, batch: int, device: str) -> None:
    """In a process of its own: start-up, then peak memory after a few steps and an evaluation."""
    began = time.perf_counter()
    (variant,) = [variant for variant in VARIANTS if variant.name == name]
    data = windows(device)
    contender = build(variant, folder, data, batch, device)
    started_s = time.perf_counter() - began
    for number in range(3):
        contender.step(number)
    contender.evaluate()
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    print(peak, started_s)


def windows(device: str) -> Data:
    """A synthetic series, in windows."""
    section = DataSection(dataset="synthetic", seq_len=SEQ_LEN, pred_len=PRED_LEN)
    return prepare(section, 0, device)


def file_bytes(tensors: dict[str, Tensor], folder: Path) -> int:
    """What they take as safetensors."""
    path = folder / "size.safetensors"
    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, path)
    size = path.stat().st_size
    path.unlink()
    return size


def compare(
    shape: str, batch: int, chosen: list[Variant], rounds: int, device: str, folder: Path
) -> None:
    """One table."""
    data = windows(device)
    contenders = {v: build(v, folder / shape, data, batch, device) for v in chosen}
    steps: dict[Variant, list[float]] = {v: [] for v in chosen}
    evaluations: dict[Variant, list[float]] = {v: [] for v in chosen}
    for number in range(-1, rounds):  # the first round is not counted
        for variant, contender in contenders.items():
            step_s = timed(lambda c=contender, n=number: c.step(n + 1), device)
            evaluation_s = timed(contender.evaluate, device)
            if number >= 0:
                steps[variant].append(step_s)
                evaluations[variant].append(evaluation_s)
    sizes = {
        v: (file_bytes(c.state(), folder), file_bytes(c.bundle(), folder) if c.bundle else 0)
        for v, c in contenders.items()
    }
    contenders.clear()
    print(f"\n{shape}, {LAYERS} layers, batch {batch}, {SEQ_LEN} to {PRED_LEN}, {device}\n")
    print("| variant | step s | steps/s | × | evaluation windows/s | × | peak MiB | start-up s | "
          "checkpoint MB | bundle MB |")  # fmt: skip
    print("|---" * 10 + "|")
    first = chosen[0]
    for variant in chosen:
        peak, started_s = alone(variant, folder / shape, batch, device)
        step_s = statistics.median(steps[variant])
        evaluation_s = statistics.median(evaluations[variant])
        faster = statistics.median(steps[first]) / step_s
        faster_evaluation = statistics.median(evaluations[first]) / evaluation_s
        checkpoint, bundle = sizes[variant]
        print(
            f"| {variant.name} | {step_s:.3f} | {1 / step_s:.2f} | {faster:.2f} | "
            f"{EVALUATED / evaluation_s:.1f} | {faster_evaluation:.2f} | {peak / MIB:,.0f} | "
            f"{started_s:.1f} | {checkpoint / 1e6:,.1f} | "
            f"{f'{bundle / 1e6:,.1f}' if bundle else '-'} |",
            flush=True,
        )


def alone(variant: Variant, backbone: Path, batch: int, device: str) -> tuple[int, float]:
    """Peak bytes and seconds of start-up, imports not counted, of a process of its own."""
    argv = [sys.executable, __file__, "--alone", variant.name, str(backbone)]
    argv += ["--batch", str(batch), "--device", device]
    said = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    return int(said[0]), float(said[1])


def main() -> None:
    """Print a table for each shape and batch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=["gpt2-small"])
    parser.add_argument("--batch", nargs="+", type=int, default=[4])
    parser.add_argument("--variant", nargs="+", choices=[v.name for v in VARIANTS])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--alone", nargs=2, metavar=("VARIANT", "BACKBONE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        name, folder = asked.alone
        measure_alone(name, Path(folder), asked.batch[0], asked.device)
        return
    chosen = [v for v in VARIANTS if asked.variant is None or v.name in asked.variant]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for shape in asked.shape:
            write_backbone(shape, folder / shape)
            for batch in asked.batch:
                compare(shape, batch, chosen, asked.rounds, asked.device, folder)


if __name__ == "__main__":
    main()
