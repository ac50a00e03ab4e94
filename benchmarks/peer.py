"""neuralforecast's TimeLLM as a contender of `engine.py`, in an environment of its own.

    python -m venv PEER && PEER/bin/pip install torch==2.13.0 transformers==5.24.0 neuralforecast
    python benchmarks/engine.py --peer PEER/bin/python

Imports nothing of this project but `turns`, which needs the standard library alone. Same backbone
folder, windows, prompts, patches, heads and widths; its own forward pass and its own Adam, over
the mean squared error of the windows that all contenders see. Left out is what its trainer does
around that: the data loader, the sampling of windows, the scaler and the log.

What it computes differently: it has 1,024 prototypes where the paper has 1,000, so its mapping is
2.4 % larger and its weights are its own; it keeps no attention weights of the backbone, as the
published code does, since it lets `transformers` choose the attention; its instance normalisation
adds its epsilon in another place; and it switches the backbone to training mode with the rest, so
that the dropout of a GPT-2 is on while it trains. Prompts are padded without a mask, as in the
published code. It evaluates as many windows at once as the engine does.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from turns import Contender, answer_stream, contender_parser, serve


def build(material: Path, batch: int, at_once: int, device: str) -> Contender:
    """The model over the backbone in `material`, ready to make its first step."""
    held = {name: tensor.to(device) for name, tensor in load_file(material / "windows").items()}
    model = _model(material, held["x"].shape[1], held["y"].shape[1]).to(device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=1e-3)

    def rows(number: int, size: int) -> Tensor:
        numbers = torch.arange(number * size, (number + 1) * size, device=device)
        return numbers % len(held["x"])

    def forward(x: Tensor) -> Tensor:
        forecast: Tensor = model({"insample_y": x.unsqueeze(-1)}).squeeze(-1)
        return forecast

    def step(number: int) -> float:
        model.train()
        chosen = rows(number, batch)
        optimiser.zero_grad()
        loss = functional.mse_loss(forward(held["x"][chosen]), held["y"][chosen])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.item()

    def in_evaluation(x: Tensor) -> Tensor:
        model.eval()
        with torch.inference_mode():
            return forward(x)

    def sizes() -> dict[str, int]:
        tensors = model.state_dict().values()
        whole = {tensor.untyped_storage().data_ptr(): tensor.nbytes for tensor in tensors}
        return {"checkpoint": sum(whole.values()), "weights": sum(t.nbytes for t in trained)}

    def forecast() -> list[float]:
        values: list[float] = in_evaluation(held["x"][:1])[0].tolist()
        return values

    return Contender(
        step=step,
        prepare=lambda: None,  # it shares nothing between batches
        evaluate=_counted(lambda number: len(in_evaluation(held["x"][rows(number, at_once)]))),
        forecast=forecast,
        sizes=sizes,
    )


def _model(material: Path, seq_len: int, pred_len: int) -> Any:
    """Its defaults, but for the sizes that are the published ones."""
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import TimeLLM

    config = json.loads((material / "llm" / "config.json").read_text(encoding="utf-8"))
    description = (material / "description").read_text(encoding="utf-8")
    return TimeLLM(
        h=pred_len, input_size=seq_len, patch_len=16, stride=8, d_ff=32, d_model=32, n_heads=8,
        enc_in=1, dec_in=1, llm=str(material / "llm"),
        d_llm=config.get("hidden_size", config.get("n_embd")),
        prompt_prefix=f"Dataset description: {description}",
        loss=MSE(), learning_rate=1e-3,
    )  # fmt: skip


def _counted(evaluate: Callable[[int], int]) -> Callable[[], int]:
    """Another batch every time."""
    numbers = iter(range(1_000_000))
    return lambda: evaluate(next(numbers))


def main() -> None:
    """Be the contender."""
    asked = contender_parser(__doc__ or "").parse_args()
    answers = answer_stream()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    with contextlib.redirect_stdout(sys.stderr):
        contender = build(asked.material, asked.batch, asked.at_once, asked.device)
    serve(contender, answers, asked.device)


if __name__ == "__main__":
    main()
