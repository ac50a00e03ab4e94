"""The whole model: independence of batch-mates, what is trained, and what is refused."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_backbones import FAMILIES, save_backbone

from timellm_engine.errors import BackboneError
from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.timellm import PUBLISHED_NAMES, TimeLLM, from_published
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

SEQ_LEN, PRED_LEN = 40, 6
SMALL = ModelSection(
    patch_len=8, stride=4, d_model=8, n_heads=2, d_ff=8, num_prototypes=12, prototypes="mapping"
)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Backbone]:
    root = tmp_path_factory.mktemp("backbones")
    return {
        family: load_backbone(
            BackboneSection(source=str(save_backbone(root / family, family))), seed=0
        )
        for family in FAMILIES
    }


@pytest.fixture(scope="module")
def embedded() -> Backbone:
    return load_backbone(BackboneSection(), seed=0)


def build(backbone: Backbone, prompt: PromptSection | None = None) -> TimeLLM:
    torch.manual_seed(0)
    section = prompt or PromptSection()
    return TimeLLM(backbone, SMALL, section, "Tides.", SEQ_LEN, PRED_LEN).eval()


def uneven_windows() -> torch.Tensor:
    """Windows whose prompts are of different lengths; the second one's is the shortest."""
    windows = torch.randn(5, SEQ_LEN, generator=torch.Generator().manual_seed(2))
    windows[1] = 0.0
    return windows


@pytest.mark.parametrize("family", FAMILIES)
def test_a_forecast_does_not_depend_on_its_batch_mates(
    backbones: dict[str, Backbone], family: str
) -> None:
    model, windows = build(backbones[family]), uneven_windows()
    assert len({len(ids) for ids in model.tokenize(model.prompts(windows))}) > 1
    together = model(windows)
    for row in range(len(windows)):
        alone = model(windows[row : row + 1])
        assert torch.allclose(together[row : row + 1], alone, atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_padding_as_published_does_depend_on_them(
    backbones: dict[str, Backbone], family: str
) -> None:
    model = build(backbones[family], PromptSection(padding="reference"))
    windows = uneven_windows()
    assert not torch.allclose(model(windows)[1:2], model(windows[1:2]), atol=1e-4)


def test_every_backbone_hears_the_prompt(backbones: dict[str, Backbone]) -> None:
    for backbone in backbones.values():
        said = build(backbone)(uneven_windows())
        unsaid = build(backbone, PromptSection(description="Ebb and flow."))(uneven_windows())
        assert not torch.allclose(said, unsaid, atol=1e-5)


def test_the_configured_description_takes_the_place_of_the_default(embedded: Backbone) -> None:
    rows = torch.randn(1, SEQ_LEN)
    (default,) = build(embedded).prompts(rows)
    (configured,) = build(embedded, PromptSection(description="Ebb and flow.")).prompts(rows)
    assert "Dataset description: Tides.Task description" in default
    assert "Dataset description: Ebb and flow.Task description" in configured


def test_variables_are_forecast_each_on_its_own(embedded: Backbone) -> None:
    model = build(embedded)
    series = torch.randn(2, SEQ_LEN, 3).cumsum(dim=1)
    together = model(series)
    assert together.shape == (2, PRED_LEN, 3)
    for variable in range(3):
        assert torch.allclose(together[:, :, variable], model(series[:, :, variable]), atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(0.5, 100), shift=st.floats(-100, 100))
def test_only_trained_weights_decide_level_and_scale(scale: float, shift: float) -> None:
    model = build(EMBEDDED)
    with torch.no_grad():
        model.head.linear.weight.zero_()
        model.head.linear.bias.zero_()
    window = torch.linspace(-1, 1, SEQ_LEN).unsqueeze(0) * scale + shift
    assert torch.allclose(model(window), window.mean().expand(1, PRED_LEN), atol=1e-3)


EMBEDDED = load_backbone(BackboneSection(), seed=0)


def test_only_the_trainable_part_is_trained_and_saved(embedded: Backbone) -> None:
    model = build(embedded)
    before = {name: tensor.clone() for name, tensor in embedded.model.state_dict().items()}
    assert set(model.trainable_state()) == set(PUBLISHED_NAMES)
    model.train()
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    old = {name: tensor.clone() for name, tensor in model.trainable_state().items()}
    model(uneven_windows()).square().mean().backward()
    optimiser.step()
    assert all(torch.equal(before[n], t) for n, t in embedded.model.state_dict().items())
    assert all(not torch.equal(old[n], t) for n, t in model.trainable_state().items())


def test_training_leaves_the_backbone_in_evaluation_mode(backbones: dict[str, Backbone]) -> None:
    model = build(backbones["bert"])
    assert model.train() is model
    assert model.training
    assert not any(module.training for module in model.backbone.modules())
    model.eval()
    assert not model.training


def test_training_is_random_and_evaluation_is_not(embedded: Backbone) -> None:
    model, windows = build(embedded), uneven_windows()
    assert torch.equal(model(windows), model(windows))
    model.train()
    assert not torch.equal(model(windows), model(windows))


def test_a_state_goes_round(embedded: Backbone) -> None:
    model, windows = build(embedded), uneven_windows()
    state = {name: tensor.clone() for name, tensor in model.trainable_state().items()}
    expected = model(windows)
    with torch.no_grad():
        model.head.linear.weight.add_(1.0)
    assert not torch.allclose(model(windows), expected)
    model.load_trainable_state(state)
    assert torch.equal(model(windows), expected)


def test_a_state_of_another_model_is_refused(embedded: Backbone) -> None:
    model = build(embedded)
    state = dict(model.trainable_state())
    with pytest.raises(ValueError, match=r"head\.linear\.bias"):
        model.load_trainable_state({n: t for n, t in state.items() if n != "head.linear.bias"})
    state["head.linear.bias"] = torch.zeros(PRED_LEN + 1)
    with pytest.raises(ValueError, match=r"head\.linear\.bias is \(7,\), not \(6,\)"):
        model.load_trainable_state(state)


def test_a_published_checkpoint_is_taken_over_without_its_backbone(embedded: Backbone) -> None:
    model = build(embedded)
    state = model.trainable_state()
    published = {PUBLISHED_NAMES[name]: tensor for name, tensor in state.items()}
    taken = from_published({**published, "llm_model.wte.weight": torch.zeros(1)})
    assert taken.keys() == state.keys()


def test_bfloat16_forecasts_what_float32_does(backbones: dict[str, Backbone]) -> None:
    section = BackboneSection(dtype="bfloat16")
    half, single = build(load_backbone(section, seed=0)), build(EMBEDDED)
    forecasts = half(uneven_windows()), single(uneven_windows())
    assert forecasts[0].dtype == torch.float32
    assert torch.allclose(*forecasts, atol=0.05)


def test_reading_more_dimensions_than_there_are_names_the_key(embedded: Backbone) -> None:
    wide = ModelSection(d_ff=65)
    with pytest.raises(BackboneError, match=r"^model\.d_ff: found 65; expected at most 64") as e:
        TimeLLM(embedded, wide, PromptSection(), "", SEQ_LEN, PRED_LEN)
    assert e.value.key == "model.d_ff"


@pytest.mark.parametrize("padding", ["masked", "reference"])
def test_a_prompt_that_does_not_fit_is_refused_and_not_cut(
    embedded: Backbone, padding: str
) -> None:
    long = PromptSection(padding=padding, description="tide " * 1000)  # type: ignore[arg-type]
    with pytest.raises(BackboneError, match=r"^prompt\.description: found a prompt of \d+ tokens"):
        build(embedded, long)(torch.randn(1, SEQ_LEN))


def test_the_longest_prompt_that_fits_is_taken(embedded: Backbone) -> None:
    """One token more and it is not, so the limit is exact."""
    model = build(embedded)
    (prompt,) = model.prompts(torch.zeros(1, SEQ_LEN))
    room = 1024 - model.patches - len(model.tokenize([prompt])[0])
    (longest,) = model.tokenize([prompt + "\x00" * room])
    assert len(longest) + model.patches == 1024
    with pytest.raises(BackboneError):
        model.tokenize([prompt + "\x00" * (room + 1)])


def test_a_padding_token_that_the_backbone_lacks_is_refused(tmp_path: Path) -> None:
    backbone = load_backbone(BackboneSection(source=str(save_backbone(tmp_path))), seed=0)
    backbone.tokenizer.eos_token = None
    windows = uneven_windows()
    build(backbone)(windows)
    with pytest.raises(BackboneError, match=r"^prompt\.padding: .*expected \"masked\""):
        build(backbone, PromptSection(padding="reference"))(windows)


def test_a_folder_moves_no_forecast(tmp_path: Path) -> None:
    forecasts = [
        build(load_backbone(BackboneSection(source=str(save_backbone(tmp_path / name))), seed=0))(
            uneven_windows()
        )
        for name in ("here", "there")
    ]
    assert torch.equal(*forecasts)
