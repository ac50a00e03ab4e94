"""What `engine.py` compares: the published computation, and the engine as a config makes it.

As a process, `python benchmarks/contenders.py MATERIAL VARIANT...`: one contender, built from the
folder that `material` has filled, that does what it is told by `turns`. All of them begin with the
same trained weights and see the same windows.
"""

import shlex
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from backbone_shapes import silence, write_backbone
from published_computation import PublishedTimeLLM
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from turns import Contender, answer_stream, contender_parser, serve

from timellm_engine.data.prepare import prepare
from timellm_engine.model.prompts import default_description
from timellm_engine.model.timellm import PUBLISHED_NAMES
from timellm_ops.configfile import read_config
from timellm_ops.contract.config import Config, DataSection, ModelSection
from timellm_ops.contract.shapes import folded_shapes, trainable_shapes

SEQ_LEN, PRED_LEN = 512, 96
RATE = 1e-3
KEPT_WINDOWS = 256
DESCRIPTION = default_description("ETTh1")
MODEL = ModelSection(prototypes="mapping")
"""As published; variants with direct prototypes say so."""
MAPPED, FOLDED, WINDOWS, BACKBONE = "mapped.safetensors", "folded.safetensors", "windows", "llm"


class Variant(NamedTuple):
    """Whose computation, and how."""

    name: str
    overrides: tuple[str, ...] | None
    """Of the engine's config, as for `--set`; None for the published computation."""
    precision: str
    """`fp32` or `bf16`; a ratio is taken against the published computation in the same one."""


def engine_variant(name: str, overrides: str) -> Variant:
    """The engine with `key=value` overrides of its config, blanks between them."""
    keys = tuple(shlex.split(overrides))
    return Variant(name, keys, "bf16" if "train.precision=bf16" in keys else "fp32")


_AGAIN = "train.activation_checkpointing=true"
BF16 = "train.precision=bf16 backbone.dtype=bfloat16"
_DIRECT, _MAPPING = "model.prototypes=direct", "model.prototypes=mapping"
STANDARD = (
    Variant("published fp32", None, "fp32"),
    Variant("published bf16", None, "bf16"),
    engine_variant("mapping fp32", _MAPPING),
    engine_variant("mapping bf16", f"{_MAPPING} {BF16}"),
    engine_variant("direct fp32", _DIRECT),
    engine_variant("direct bf16", f"{_DIRECT} {BF16}"),
)
FURTHER = (
    engine_variant("mapping fp32, recomputed", f"{_MAPPING} {_AGAIN}"),
    engine_variant("direct fp32, recomputed", f"{_DIRECT} {_AGAIN}"),
    engine_variant("direct bf16, recomputed", f"{_DIRECT} {BF16} {_AGAIN}"),
    engine_variant("direct fp32, held in bf16", f"{_DIRECT} backbone.dtype=bfloat16"),
    engine_variant("direct int8", f"{_DIRECT} train.precision=bf16 backbone.dtype=int8"),
    engine_variant("direct nf4", f"{_DIRECT} train.precision=bf16 backbone.dtype=nf4"),
    engine_variant(
        "mapping bf16, 8-bit optimiser", f"{_MAPPING} {BF16} train.optimiser_state=int8"
    ),
    engine_variant(
        "direct nf4, smallest",
        f"{_DIRECT} train.precision=bf16 backbone.dtype=nf4 train.optimiser_state=int8 {_AGAIN}",
    ),
    engine_variant("direct fp32, compiled", f"{_DIRECT} train.compile=true"),
    engine_variant("direct bf16, compiled", f"{_DIRECT} {BF16} train.compile=true"),
)
"""Only where they are asked for."""


class Terms(NamedTuple):
    """What is the same for all contenders of a table."""

    material: Path
    batch: int
    at_once: int
    """Windows that the engine evaluates at once. The published code has one batch size for all."""
    device: str


def write_material(shape: str, layers: int, folder: Path, device: str = "cpu") -> None:
    """Backbone, trained weights in both parametrisations, and windows, for every contender."""
    words = write_backbone(shape, layers, folder / BACKBONE, device)
    vocabulary, width = words.shape
    shapes = trainable_shapes(MODEL, SEQ_LEN, PRED_LEN, embedding_size=width, vocab_size=vocabulary)
    generator = torch.Generator().manual_seed(1)
    weights = {}
    for tensor in shapes:
        # As torch begins a linear layer, whose bias has the range of its weight.
        bound = vocabulary**-0.5 if tensor.module == "mapping" else tensor.shape[-1] ** -0.5
        weights[tensor.name] = torch.empty(tensor.shape).uniform_(
            -bound, bound, generator=generator
        )
    save_file(weights, folder / MAPPED)
    prototypes = weights["mapping.weight"] @ words.float() + weights["mapping.bias"].unsqueeze(1)
    weights["prototypes.values"] = prototypes
    folded = folded_shapes(shapes, MODEL, width)
    save_file({tensor.name: weights[tensor.name] for tensor in folded}, folder / FOLDED)
    write_windows(folder)


def write_windows(folder: Path) -> None:
    """Windows of a synthetic series, spread over all of it, and what prompts say of it."""
    data = prepare(DataSection(dataset="synthetic", seq_len=SEQ_LEN, pred_len=PRED_LEN), 0)
    x, y = data.train.batch(torch.arange(KEPT_WINDOWS) * (len(data.train) // KEPT_WINDOWS))
    save_file({"x": x.contiguous(), "y": y.contiguous()}, folder / WINDOWS)
    (folder / "description").write_text(DESCRIPTION, encoding="utf-8")


def build(variant: Variant, terms: Terms) -> Contender:
    """The variant, ready to make its first step."""
    silence()
    return (_published if variant.overrides is None else _engine)(variant, terms)


class Windows:
    """The windows that all contenders see; numbers begin again at the end.

    On the device, where the published code has them when a step begins, or where they are wanted.
    """

    def __init__(self, terms: Terms, device: str | None = None) -> None:
        held, device = load_file(terms.material / WINDOWS), device or terms.device
        self.x, self.y = held["x"].to(device), held["y"].to(device)

    def batch(self, number: int, size: int) -> tuple[Tensor, Tensor]:
        """Batch `number`, of so many windows."""
        rows = torch.arange(number * size, (number + 1) * size, device=self.x.device) % len(self.x)
        return self.x[rows], self.y[rows]


def published_model(terms: Terms) -> PublishedTimeLLM:
    """As the published code builds it: its backbone is held in float32."""
    from transformers import AutoModel, AutoTokenizer

    folder = terms.material / BACKBONE
    model = PublishedTimeLLM(
        AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32),
        AutoTokenizer.from_pretrained(folder),
        {
            "seq_len": SEQ_LEN, "pred_len": PRED_LEN, "patch_len": MODEL.patch_len,
            "stride": MODEL.stride, "d_model": MODEL.d_model, "n_heads": MODEL.n_heads,
            "d_ff": MODEL.d_ff, "num_prototypes": MODEL.num_prototypes,
        },
        DESCRIPTION,
    )  # fmt: skip
    weights = load_file(terms.material / MAPPED)
    model.load_published({PUBLISHED_NAMES[name]: tensor for name, tensor in weights.items()})
    return model.to(terms.device)


def _published(variant: Variant, terms: Terms) -> Contender:
    """Autocast for bf16, torch's plain Adam, and the whole model in evaluation by its batch."""
    model, windows = published_model(terms), Windows(terms)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.Adam(trained.values(), lr=RATE)

    def forward(x: Tensor) -> Tensor:
        with torch.autocast(terms.device, torch.bfloat16, enabled=variant.precision == "bf16"):
            forecast: Tensor = model(x.unsqueeze(-1)).squeeze(-1).float()
        return forecast

    def step(number: int) -> float:
        model.train()
        x, y = windows.batch(number, terms.batch)
        optimiser.zero_grad()
        loss = functional.mse_loss(forward(x), y)
        loss.backward()
        optimiser.step()
        return loss.item()

    def sizes() -> dict[str, int]:
        whole = {t.untyped_storage().data_ptr(): t.nbytes for t in model.state_dict().values()}
        return {
            "checkpoint": sum(whole.values()),
            "weights": sum(p.nbytes for p in trained.values()),
        }

    # More would take long, and a batch is forecast like any other.
    evaluate = _evaluation(model, forward, windows, terms.batch, 1 + (terms.batch < 8))
    return Contender(step, _nothing, evaluate, _one_forecast(model, forward, windows), sizes)


def engine_config(variant: Variant, terms: Terms, folder: Path) -> Config:
    """The engine's config of a variant, resolved. Raises `ConfigError` for unknown overrides."""
    path = folder / "benchmark.toml"
    path.write_text(
        f'data.dataset = "synthetic"\ndata.seq_len = {SEQ_LEN}\ndata.pred_len = {PRED_LEN}\n'
        f'backbone.source = "{terms.material / BACKBONE}"\nprompt.description = "{DESCRIPTION}"\n'
        f'train.device = "{terms.device}"\ntrain.batch_size = {terms.batch}\n'
        f'train.schedule = "constant"\ntrain.learning_rate = {RATE}\n'
        f"train.eval_batch_size = {terms.at_once}\n",
        encoding="utf-8",
    )
    return read_config(path, variant.overrides or ())


def _engine(variant: Variant, terms: Terms) -> Contender:
    """Built by the engine's own `build`, stepped by its own `Stepper`."""
    from timellm_engine.training.build import build as build_job
    from timellm_engine.training.schedule import Pace
    from timellm_engine.training.step import Stepper

    with tempfile.TemporaryDirectory() as folder:
        config = engine_config(variant, terms, Path(folder))
    job, windows = build_job(config), Windows(terms, "cpu")
    model = job.model
    load_weights(model, terms.material)
    stepper = Stepper(config.train, model, job.optimiser, job.trainable)

    ahead: dict[int, tuple[Tensor, Tensor]] = {}

    def step(number: int) -> float:
        """As in a run, where the windows of the next step are known."""
        if not model.training:
            model.train()
        x, y = ahead.pop(number, None) or windows.batch(number, terms.batch)
        ahead.clear()
        ahead[number + 1] = windows.batch(number + 1, terms.batch)
        return stepper.take(x, y, Pace(RATE), ahead[number + 1][0]).loss

    def sizes() -> dict[str, int]:
        from timellm_engine.checkpoints.bundle_writer import write_bundle
        from timellm_engine.checkpoints.checkpoint import FolderStorage
        from timellm_engine.checkpoints.snapshot import Position, full_snapshot, weights_snapshot
        from timellm_ops.contract.bundle import Origin

        position = Position(epoch=1, iteration=1)
        origin = Origin(run_id="benchmark", checkpoint="best", epoch=1, iteration=1)
        with tempfile.TemporaryDirectory() as folder:
            storage = FolderStorage(Path(folder) / "checkpoints")
            last = full_snapshot(model, job.optimiser, position, job.identity)
            best = weights_snapshot(model, position, job.identity)
            return {
                "checkpoint": storage.save("last", last).bytes,
                "weights": storage.save("best", best).bytes,
                "bundle": write_bundle(Path(folder) / "bundle", job, origin).bytes,
            }

    def remark() -> str:
        if model.reading_ahead() is None:
            return "prompts are read together with the patches in every step"
        return "" if stepper.not_captured is None else f"not recorded: {stepper.not_captured}"

    prototypes: list[Tensor] = []

    def prepare() -> None:
        with torch.inference_mode():
            prototypes[:] = [model.text_prototypes()]

    def forecasts(x: Tensor) -> Tensor:
        forecast: Tensor = model(x, prototypes[0])
        return forecast

    evaluate = _evaluation(model, forecasts, windows, terms.at_once, 1)
    forecast = _one_forecast(model, model, windows)
    return Contender(step, prepare, evaluate, forecast, sizes, remark)


def _nothing() -> None:
    """The published code shares nothing between the batches of an evaluation."""


def load_weights(model: nn.Module, material: Path) -> None:
    """The trained weights that everybody begins with, in the model's own parametrisation."""
    mapped = model.mapping is not None
    model.load_trainable_state(load_file(material / (MAPPED if mapped else FOLDED)))


def _evaluation(
    model: nn.Module, forward: Callable[[Tensor], Tensor], windows: Windows, size: int, batches: int
) -> Callable[[], int]:
    counted: Iterator[int] = iter(range(1_000_000))  # no batch twice in a row

    def evaluate() -> int:
        model.eval()
        with torch.inference_mode():
            for _ in range(batches):
                forward(windows.batch(next(counted), size)[0])
        return size * batches

    return evaluate


def _one_forecast(
    model: nn.Module, forward: Callable[[Tensor], Tensor], windows: Windows
) -> Callable[[], list[float]]:
    def forecast() -> list[float]:
        model.eval()
        with torch.inference_mode():
            values: list[float] = forward(windows.x[:1])[0].tolist()
        return values

    return forecast


def main() -> None:
    """Be one contender."""
    parser = contender_parser(__doc__ or "")
    parser.add_argument("name")
    parser.add_argument("--published", choices=["fp32", "bf16"])
    parser.add_argument("--set", nargs="*", default=[])
    asked = parser.parse_args()
    answers = answer_stream()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    variant = (
        Variant(asked.name, None, asked.published)
        if asked.published
        else Variant(asked.name, (*asked.set, *_threads(asked.threads)), "")
    )
    terms = Terms(asked.material, asked.batch, asked.at_once, asked.device)
    serve(build(variant, terms), answers, asked.device)


def _threads(threads: int | None) -> list[str]:
    return [f"train.threads={threads}"] if threads else []


if __name__ == "__main__":
    main()
