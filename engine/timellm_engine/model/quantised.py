"""A frozen backbone whose matrix products hold their weights as codes of 8 or 4 bits.

`transformers` reads the weights and has bitsandbytes make the codes, one tensor after the other:
`int8`, a step per output (Dettmers et al. 2022), or `nf4`, 16 levels at the quantiles of a normal
distribution times the largest of each 64 weights (Dettmers et al. 2023, its scales in 8 bits too).
Codes are always made on the CPU, so that a backbone is the same bits on every device.

Products are our own: inputs stay as they are, and weights are written out for one product at a
time, forward and backward. bitsandbytes' int8 product rounds the inputs as well, by what the whole
batch holds, and so a forecast would depend on its batch-mates; it also keeps inputs where
recomputation cannot free them, and its 4-bit one loses the gradient on some CPUs.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

from timellm_engine.errors import PreflightError, one_line
from timellm_engine.model.frozen_product import multiplied
from timellm_ops.contract.small_cards import EXTRA, PACKAGES, Quantisation, missing_words

HELD = torch.bfloat16
"""The type of every weight that has no codes, and of the answers."""
_INT8_LARGEST = 127.0


class QuantisedLinear(nn.Module):
    """A linear layer with frozen codes; no gradient of the weight, one of the input."""

    def __init__(self, in_features: int, out_features: int, bias: nn.Parameter | None) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.bias = bias

    def forward(self, inputs: Tensor) -> Tensor:
        """`[..., in_features]` to `[..., out_features]`, in the type of `inputs`."""
        kind = inputs.device.type
        if torch.is_autocast_enabled(kind):
            inputs = inputs.to(torch.get_autocast_dtype(kind))
        product = multiplied(inputs, self)
        return product if self.bias is None else product + self.bias.to(product.dtype)

    def times(self, inputs: Tensor) -> Tensor:
        """`inputs · weightᵀ`, without a graph."""
        raise NotImplementedError

    def transposed(self, gradient: Tensor) -> Tensor:
        """`gradient · weight`, without a graph."""
        raise NotImplementedError


class Int8Linear(QuantisedLinear):
    """`codes` are `[out, in]`, times a step for each output."""

    codes: Tensor
    steps: Tensor

    def __init__(self, codes: Tensor, steps: Tensor, bias: nn.Parameter | None) -> None:
        super().__init__(codes.shape[1], codes.shape[0], bias)
        self.register_buffer("codes", codes)
        self.register_buffer("steps", steps)

    def times(self, inputs: Tensor) -> Tensor:
        """Codes are exact in bfloat16; the steps come after the sum."""
        summed = functional.linear(inputs, self.codes.to(inputs.dtype))
        return (summed * self.steps).to(inputs.dtype)

    def transposed(self, gradient: Tensor) -> Tensor:
        """The steps come before the sum, which is over the outputs."""
        return (gradient * self.steps).to(gradient.dtype) @ self.codes.to(gradient.dtype)


class Nf4Linear(QuantisedLinear):
    """`codes` are two to a byte; all that it takes to read them is kept as bitsandbytes made it."""

    codes: Tensor

    def __init__(self, codes: Tensor, state: Any, bias: nn.Parameter | None) -> None:
        super().__init__(state.shape[1], state.shape[0], bias)
        self.blocksize, self.scales_blocksize = state.blocksize, state.state2.blocksize
        self.register_buffer("codes", codes)
        for name, tensor in {
            "levels": state.code, "scales": state.absmax, "scales_offset": state.offset,
            "scales_levels": state.state2.code, "scales_scales": state.state2.absmax,
        }.items():  # fmt: skip
            self.register_buffer(name, tensor)

    def times(self, inputs: Tensor) -> Tensor:
        """With the weight written out for as long as it takes."""
        return functional.linear(inputs, self._weight().to(inputs.dtype))

    def transposed(self, gradient: Tensor) -> Tensor:
        """With the weight written out once more."""
        return gradient @ self._weight().to(gradient.dtype)

    def _weight(self) -> Tensor:
        """`[out, in]`, in the type that it was read in."""
        from bitsandbytes.functional import QuantState, dequantize_4bit

        tensors = dict(self.named_buffers(recurse=False))
        state = QuantState(
            absmax=tensors["scales"],
            shape=torch.Size((self.out_features, self.in_features)),
            code=tensors["levels"],
            blocksize=self.blocksize,
            quant_type="nf4",
            dtype=HELD,
            offset=tensors["scales_offset"],
            state2=QuantState(
                absmax=tensors["scales_scales"],
                code=tensors["scales_levels"],
                blocksize=self.scales_blocksize,
                dtype=torch.float32,
            ),
        )
        weight: Tensor = dequantize_4bit(self.codes, state)
        return weight


def load_settings(quantisation: Quantisation) -> dict[str, Any]:
    """Arguments of `from_pretrained` that have it make the codes.

    Raises `PreflightError` where bitsandbytes and what it needs are not installed.
    """
    check_packages("backbone.dtype", quantisation, "bfloat16")
    from transformers import BitsAndBytesConfig

    match quantisation:
        case "int8":
            settings = BitsAndBytesConfig(load_in_8bit=True)
        case "nf4":
            settings = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=HELD,
            )
        case _:
            assert_never(quantisation)
    return {"dtype": HELD, "quantization_config": settings, "device_map": {"": "cpu"}}


def check_packages(key: str, value: str, instead: str, packages: Sequence[str] = PACKAGES) -> None:
    """Raise `PreflightError` where a package is missing that `key = value` needs, or is broken."""
    for package in packages:
        if find_spec(package) is None:
            raise PreflightError(missing_words(key, value, instead, package))
    try:
        importlib.import_module("bitsandbytes")
    except Exception as error:  # noqa: BLE001 - whatever a library for another machine raises
        raise PreflightError(
            f'{key}: found "{value}", but bitsandbytes cannot be loaded ({one_line(error)}); '
            f'expected "{instead}", or {EXTRA} as it is made for this machine'
        ) from None


def quantised_gpt2(
    specification: Mapping[str, Any], weights: Mapping[str, Tensor], quantisation: Quantisation
) -> nn.Module:
    """A GPT-2 of these weights with codes, as `transformers` makes them from a file."""
    settings = load_settings(quantisation)
    from transformers import GPT2Config, GPT2Model

    chosen = {key: value for key, value in specification.items() if key != "model_type"}
    model: nn.Module = GPT2Model.from_pretrained(
        None,
        config=GPT2Config(**{**chosen, "use_cache": False}),
        state_dict=dict(weights),
        **settings,
    )
    return model


def take_over_products(model: nn.Module) -> None:
    """Put our layers in the place of those that bitsandbytes would compute with."""
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    for name, layer in list(model.named_modules()):
        if isinstance(layer, Linear8bitLt):
            steps = layer.weight.SCB.float() / _INT8_LARGEST
            model.set_submodule(name, Int8Linear(layer.weight.data, steps, layer.bias))
        elif isinstance(layer, Linear4bit):
            codes, state = layer.weight.data, layer.weight.quant_state
            model.set_submodule(name, Nf4Linear(codes, state, layer.bias))


def quantised_layers(model: nn.Module) -> Iterator[QuantisedLinear]:
    """Every layer with codes."""
    return (layer for layer in model.modules() if isinstance(layer, QuantisedLinear))


def parameter_total(model: nn.Module) -> int:
    """How many parameters a backbone has, in whatever form they are held."""
    coded = sum(layer.in_features * layer.out_features for layer in quantised_layers(model))
    return coded + sum(parameter.numel() for parameter in model.parameters())
