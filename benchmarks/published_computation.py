"""The published computation of Time-LLM, written a second time, to be measured against.

What the published code does in a step, in the order in which it does it, and nothing of what the
engine does to save work: prompts are written and tokenised in the step, padded to the longest and
run through the backbone with the patches as one sequence, attention weights and hidden states of
every layer are kept, and the prototypes are mapped from the whole vocabulary. It shares no code
with the engine. Held against reference tensors by `python benchmarks/published_computation.py
CASE_DIR...`, which exits with 1 above a relative error of 1e-4.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

TOLERANCE = 1e-4
LAGS = 5


class PublishedTimeLLM(nn.Module):
    """The trainable layers under their published names, and the frozen backbone.

    `settings` has `seq_len`, `pred_len`, `patch_len`, `stride`, `d_model`, `n_heads`, `d_ff` and
    `num_prototypes`; `description` is the prompt's. Takes `[batch, time, variables]`.
    """

    def __init__(
        self, backbone: nn.Module, tokenizer: Any, settings: dict[str, int], description: str
    ) -> None:
        super().__init__()
        self.llm, self.tokenizer, self.settings = backbone, tokenizer, settings
        self.description = description
        self.words = backbone.get_input_embeddings()
        vocabulary, width = self.words.weight.shape
        heads = settings["n_heads"] * settings["d_ff"]
        self.patches = (settings["seq_len"] - settings["patch_len"]) // settings["stride"] + 2
        self.mapping_layer = nn.Linear(vocabulary, settings["num_prototypes"])
        self.token_conv = nn.Conv1d(
            settings["patch_len"], settings["d_model"], 3, padding=1, padding_mode="circular",
            bias=False,
        )  # fmt: skip
        self.query_projection = nn.Linear(settings["d_model"], heads)
        self.key_projection = nn.Linear(width, heads)
        self.value_projection = nn.Linear(width, heads)
        self.out_projection = nn.Linear(heads, width)
        self.output_projection = nn.Linear(settings["d_ff"] * self.patches, settings["pred_len"])
        self.dropout = nn.Dropout(0.1)
        backbone.requires_grad_(False)
        if tokenizer.eos_token:
            tokenizer.pad_token = tokenizer.eos_token
        else:
            tokenizer.add_special_tokens({"pad_token": "[PAD]"})

    def forward(self, x: Tensor) -> Tensor:
        """The forecast, `[batch, pred_len, variables]`."""
        batch, time, variables = x.shape
        mean = x.mean(dim=1, keepdim=True)
        deviation = torch.sqrt(x.var(dim=1, keepdim=True, unbiased=False) + 1e-5)
        rows = ((x - mean) / deviation).permute(0, 2, 1).reshape(batch * variables, time)
        ids = self.tokenizer(
            self.prompts(rows), return_tensors="pt", padding=True, truncation=True, max_length=2048
        ).input_ids
        prompt = self.words(ids.to(x.device))
        prototypes = self.mapping_layer(self.words.weight.permute(1, 0)).permute(1, 0)
        patches = self.reprogram(self.embed(rows.to(prototypes.dtype)), prototypes)
        answer = self.llm(
            inputs_embeds=torch.cat([prompt, patches.to(prompt.dtype)], dim=1),
            output_hidden_states=True,
            output_attentions=True,
        ).last_hidden_state[:, :, : self.settings["d_ff"]]
        read = answer.reshape(batch, variables, -1, self.settings["d_ff"]).permute(0, 1, 3, 2)
        flat = read[:, :, :, -self.patches :].flatten(start_dim=2).to(prototypes.dtype)
        forecast = self.dropout(self.output_projection(flat)).permute(0, 2, 1)
        return forecast * deviation + mean

    def embed(self, rows: Tensor) -> Tensor:
        """`[rows, time]` to `[rows, patches, d_model]`."""
        padded = nn.functional.pad(rows.unsqueeze(1), (0, self.settings["stride"]), "replicate")
        cut = padded.squeeze(1).unfold(1, self.settings["patch_len"], self.settings["stride"])
        return self.dropout(self.token_conv(cut.permute(0, 2, 1)).transpose(1, 2))

    def reprogram(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """`[rows, patches, d_model]` to `[rows, patches, width]`, all weights in memory."""
        rows, count, _ = patches.shape
        heads = self.settings["n_heads"]
        query = self.query_projection(patches).view(rows, count, heads, -1)
        key = self.key_projection(prototypes).view(len(prototypes), heads, -1)
        value = self.value_projection(prototypes).view(len(prototypes), heads, -1)
        scores = torch.einsum("blhe,she->bhls", query, key) / math.sqrt(query.shape[-1])
        weights = self.dropout(torch.softmax(scores, dim=-1))
        mixed = torch.einsum("bhls,she->blhe", weights, value).reshape(rows, count, -1)
        return self.out_projection(mixed)

    def prompts(self, rows: Tensor) -> list[str]:
        """One text a row."""
        spectrum = torch.fft.rfft(rows.contiguous(), dim=-1)
        correlation = torch.fft.irfft(spectrum * spectrum.conj(), dim=-1)
        lags = torch.topk(correlation, LAGS, dim=-1).indices
        lowest, highest = rows.min(dim=1).values, rows.max(dim=1).values
        middle, rise = rows.median(dim=1).values, rows.diff(dim=1).sum(dim=1)
        task = (
            f"Task description: forecast the next {self.settings['pred_len']} steps given the "
            f"previous {self.settings['seq_len']} steps information; "
        )
        return [
            f"<|start_prompt|>Dataset description: {self.description}{task}"
            f"Input statistics: min value {lowest[row].item()}, "
            f"max value {highest[row].item()}, median value {middle[row].item()}, "
            f"the trend of input is {'upward' if rise[row] > 0 else 'downward'}, "
            f"top 5 lags are : {lags[row].tolist()}<|<end_prompt>|>"
            for row in range(len(rows))
        ]

    def load_published(self, weights: dict[str, Tensor]) -> None:
        """Take the trainable tensors of a published checkpoint."""
        own = {
            name: parameter
            for name, parameter in self.named_parameters()
            if not name.startswith(("llm.", "words."))
        }
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(weights[published_name(name)])


def published_name(name: str) -> str:
    """How the published code calls a trainable tensor of this model."""
    if name.startswith("token_conv"):
        return f"patch_embedding.value_embedding.tokenConv.{name.rpartition('.')[2]}"
    if name.startswith(("query", "key", "value", "out_")):
        return f"reprogramming_layer.{name}"
    return name.replace("output_projection", "output_projection.linear")


def error_on(folder: Path) -> float:
    """Largest relative error of the padded output on a case of reference tensors."""
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "case.safetensors")
    weights = {
        name.removeprefix("weights."): tensor
        for name, tensor in tensors.items()
        if name.startswith("weights.")
    }
    settings = {**case["config"], "num_prototypes": len(weights["mapping_layer.bias"])}
    backbone = AutoModel.from_pretrained(folder / "backbone", attn_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(folder / "backbone")
    model = PublishedTimeLLM(backbone, tokenizer, settings, case["description"]).eval()
    model.load_published(weights)
    with torch.no_grad():
        found = model(tensors["x"])
    reference = tensors["output_padded"]
    return float((found - reference).abs().max() / reference.abs().max())


def main() -> int:
    """Check every case that is given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cases", type=Path, nargs="+", metavar="CASE_DIR")
    errors = {case.name: error_on(case) for case in parser.parse_args().cases}
    for name, error in errors.items():
        print(f"{name}: {error:.1e}")
    return 0 if max(errors.values()) <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
