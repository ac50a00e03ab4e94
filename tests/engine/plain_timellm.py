"""The published function written a second time, plainly: loops, one head and one row at a time.

It shares no code with the engine, so that the two can be held against each other on shapes that
the reference tensors do not have. It runs a batch as the published code does: prompts padded on
the right to the longest, no mask.
"""

import math

import torch
from torch import Tensor


def plain_prompts(x: Tensor, description: str, pred_len: int) -> list[str]:
    """The prompts of `[batch, time, variables]`, row by row."""
    batch, time, variables = x.shape
    normalised = _normalised(x)
    texts = []
    for sample in range(batch):
        for variable in range(variables):
            row = normalised[sample, :, variable].contiguous()
            ordered = sorted(row.tolist())
            spectrum = torch.fft.rfft(row)
            correlation = torch.fft.irfft(spectrum * spectrum.conj())
            lags = torch.topk(correlation, 5).indices.tolist()
            trend = "upward" if row.diff().sum() > 0 else "downward"
            texts.append(
                "<|start_prompt|>Dataset description: " + description + "Task description: "
                "forecast the next " + str(pred_len) + " steps given the previous " + str(time)
                + " steps information; Input statistics: min value " + str(ordered[0])
                + ", max value " + str(ordered[-1])
                + ", median value " + str(ordered[(time - 1) // 2])
                + ", the trend of input is " + trend
                + ", top 5 lags are : " + str(lags) + "<|<end_prompt>|>"
            )  # fmt: skip
    return texts


def plain_forecast(
    weights: dict[str, Tensor], settings: dict[str, int], backbone: torch.nn.Module, ids: Tensor,
    x: Tensor,
) -> Tensor:  # fmt: skip
    """`[batch, time, variables]` to `[batch, pred_len, variables]`; `ids` are padded prompts."""
    batch, _, variables = x.shape
    normalised = _normalised(x)
    embedding = backbone.get_input_embeddings().weight
    prototypes = torch.stack(
        [
            sum_of_rows @ embedding + shift
            for sum_of_rows, shift in zip(
                weights["mapping_layer.weight"], weights["mapping_layer.bias"], strict=True
            )
        ]
    )
    sequences = []
    for row in range(batch * variables):
        patches = _patches(normalised[row // variables, :, row % variables], settings)
        embedded = _circular_convolution(
            patches, weights["patch_embedding.value_embedding.tokenConv.weight"]
        )
        words = _reprogrammed(embedded, prototypes, weights, settings)
        sequences.append(torch.cat([embedding[ids[row]], words]))
    hidden = backbone(inputs_embeds=torch.stack(sequences)).last_hidden_state
    read = hidden[:, -len(patches) :, : settings["d_ff"]]
    flat = read.permute(0, 2, 1).reshape(batch * variables, -1)
    out = flat @ weights["output_projection.linear.weight"].T
    out = out + weights["output_projection.linear.bias"]
    out = torch.stack([out[row] for row in range(len(out))]).view(batch, variables, -1)
    deviation = (x.var(dim=1, unbiased=False) + 1e-5).sqrt()
    return out.permute(0, 2, 1) * deviation[:, None] + x.mean(dim=1)[:, None]


def _normalised(x: Tensor) -> Tensor:
    deviation = torch.sqrt(x.var(dim=1, unbiased=False, keepdim=True) + 1e-5)
    return (x - x.mean(dim=1, keepdim=True)) / deviation


def _patches(row: Tensor, settings: dict[str, int]) -> Tensor:
    stride, length = settings["stride"], settings["patch_len"]
    padded = torch.cat([row, row[-1].repeat(stride)])
    starts = range(0, len(padded) - length + 1, stride)
    return torch.stack([padded[start : start + length] for start in starts])


def _circular_convolution(patches: Tensor, kernel: Tensor) -> Tensor:
    count = len(patches)
    return torch.stack(
        [
            sum(kernel[:, :, tap] @ patches[(at + tap - 1) % count] for tap in range(3))
            for at in range(count)
        ]
    )


def _reprogrammed(
    patches: Tensor, prototypes: Tensor, weights: dict[str, Tensor], settings: dict[str, int]
) -> Tensor:
    def project(name: str, values: Tensor) -> Tensor:
        layer = f"reprogramming_layer.{name}_projection"
        return values @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]

    query, key = project("query", patches), project("key", prototypes)
    value, width = project("value", prototypes), settings["d_ff"]
    heads = []
    for head in range(settings["n_heads"]):
        part = slice(head * width, (head + 1) * width)
        scores = query[:, part] @ key[:, part].T / math.sqrt(width)
        heads.append(torch.softmax(scores, dim=-1) @ value[:, part])
    return project("out", torch.cat(heads, dim=-1))
