"""Codes of 8 and 4 bits: close to the weights, the same every time, as large as foretold."""

from typing import Literal

import pytest
import torch
from small_packages import needs_packages
from tiny_backbones import CAUSAL, save_backbone
from torch import Tensor

from timellm_engine.errors import PreflightError
from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.quantised import (
    Int8Linear,
    Nf4Linear,
    check_packages,
    parameter_total,
    quantised_layers,
)
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.backbones import find_facts
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection
from timellm_ops.planning.backbone_bytes import backbone_bytes

pytestmark = needs_packages
Coded = Literal["int8", "nf4"]
CODED: tuple[Coded, ...] = ("int8", "nf4")
FAMILIES = ("embedded", "gpt2", "llama", "qwen2", "opt", "bert")


@pytest.fixture(scope="module", params=FAMILIES)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "embedded":
        return "embedded"
    return str(save_backbone(tmp_path_factory.mktemp(request.param), request.param))


@pytest.mark.parametrize("dtype", CODED)
def test_a_backbone_with_codes_is_another_one_with_about_the_same_answers(
    source: str, dtype: Coded
) -> None:
    whole = load_backbone(BackboneSection(source=source, dtype="bfloat16"), 0)
    coded = load_backbone(BackboneSection(source=source, dtype=dtype), 0)
    assert coded.digest == load_backbone(BackboneSection(source=source, dtype=dtype), 0).digest
    assert coded.digest != whole.digest
    assert (coded.causal, coded.layers) == (whole.causal, whole.layers)
    assert parameter_total(coded.model) == parameter_total(whole.model)
    assert coded.word_embeddings.weight.dtype == torch.bfloat16
    x = torch.randn(2, 6, whole.embedding_size, generator=torch.Generator().manual_seed(0))
    answers = [b.model(inputs_embeds=x.bfloat16()).last_hidden_state for b in (whole, coded)]
    off = (answers[1] - answers[0]).float().norm() / answers[0].float().norm()
    # Weights that are drawn so wide amplify what is rounded; 4 bits keep a tenth of each.
    assert 0.0 < off < {"int8": 0.05, "nf4": 0.8}[dtype]


@pytest.mark.parametrize("dtype", CODED)
def test_it_takes_what_was_foretold(source: str, dtype: Coded) -> None:
    facts = find_facts(source).facts
    if facts is None:
        pytest.skip("a family that is not known to plans")
    model = load_backbone(BackboneSection(source=source, dtype=dtype), 0).model
    layers = list(quantised_layers(model))
    held = [*model.parameters(), *(b for layer in layers for b in layer.buffers())]
    taken = sum(tensor.nbytes for tensor in held)
    assert taken == backbone_bytes(facts, facts.layers, dtype)


def written_out(layer: Int8Linear | Nf4Linear) -> Tensor:
    """The weight, `[out, in]`, by its products with every input."""
    with torch.no_grad():
        return layer.times(torch.eye(layer.in_features)).T


@pytest.mark.parametrize("dtype", CODED)
def test_products_and_gradients_are_those_of_the_rounded_weight(dtype: Coded) -> None:
    backbone = load_backbone(BackboneSection(dtype=dtype, layers=1), 0)
    plain = load_backbone(BackboneSection(layers=1), 0).model.state_dict()
    layer = backbone.model.get_submodule("h.0.mlp.c_fc")
    assert isinstance(layer, Int8Linear | Nf4Linear)
    weight = written_out(layer)
    off = weight - plain["h.0.mlp.c_fc.weight"].T
    step = off.abs().max() / plain["h.0.mlp.c_fc.weight"].abs().max()
    assert 0.0 < step < {"int8": 0.01, "nf4": 0.16}[dtype]
    x = torch.randn(3, 5, layer.in_features, requires_grad=True)
    given = torch.randn(3, 5, layer.out_features)
    answer = layer(x)
    answer.backward(given)
    assert layer.bias is not None
    assert torch.allclose(answer, x @ weight.T + layer.bias.float(), rtol=1e-4, atol=1e-5)
    assert x.grad is not None
    assert torch.allclose(x.grad, given @ weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", CODED)
def test_a_forecast_does_not_depend_on_its_batch_mates_and_prompts_are_read_ahead(
    source: str, dtype: Coded
) -> None:
    torch.manual_seed(0)
    backbone = load_backbone(BackboneSection(source=source, dtype=dtype), 0)
    section = ModelSection(num_prototypes=20, d_ff=16, n_heads=2)
    model = TimeLLM(backbone, section, PromptSection(), "Tides.", 64, 8).eval()
    x = torch.randn(5, 64).cumsum(dim=1)
    with torch.inference_mode():
        together = model(x)
        alone = torch.cat([model(row.unsqueeze(0)) for row in x])
    scale = together.abs().max()
    # Answers are rounded to 8 bits, which depends on what is summed together.
    assert (together - alone).abs().max() < 0.1 * scale
    family = "gpt2" if source == "embedded" else backbone.model.config.model_type  # type: ignore[union-attr]
    assert (model._prefix is not None) == (family in CAUSAL)


def test_a_missing_package_is_one_line_that_says_how_to_get_it() -> None:
    with pytest.raises(PreflightError) as caught:
        check_packages("backbone.dtype", "nf4", "bfloat16", ("no_such_package",))
    assert str(caught.value) == (
        'backbone.dtype: found "nf4", which needs the package no_such_package, and that is not '
        "installed here; expected \"bfloat16\", or the package: pip install 'timellm-ops[small]'"
    )
