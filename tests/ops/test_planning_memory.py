"""Memory foretold: what it must grow and shrink with, and what would make a run fit."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.backbones import find_facts
from timellm_ops.contract.backbone_facts import KNOWN
from timellm_ops.contract.config import Config
from timellm_ops.contract.engine_memory import KEPT_WORDS_BYTES
from timellm_ops.contract.plan import Device, Measured, Plan
from timellm_ops.contract.validation import parse_config
from timellm_ops.planning.make import make_plan, with_measured
from timellm_ops.planning.memory import peak_bytes
from timellm_ops.planning.steps import published_data

GIB = 1 << 30


def config_of(source: str = "Qwen/Qwen2.5-3B", layers: int = 6, **train: Any) -> Config:
    tables = {
        "data": {"dataset": "ETTh1"},
        "backbone": {"source": source, "layers": layers, "dtype": "bfloat16"},
        "model": {"prototypes": "mapping"},
        "train": {"batch_size": 4, "epochs": 3, "eval_batch_size": 32, **train},
    }
    return parse_config(tables, "test")


def plan_of(config: Config, device: Device = "cuda", gib: float | None = None) -> Plan:
    found = find_facts(config.backbone.source, {"HF_HUB_CACHE": "/nowhere"})
    memory = None if gib is None else round(gib * GIB)
    return make_plan(config, published_data(config.data), found, device, gpu_memory_bytes=memory)


def peak(config: Config, device: Device = "cuda") -> int:
    return peak_bytes(plan_of(config, device).memory)


@given(
    st.sampled_from(sorted(KNOWN)), st.integers(1, 12), st.integers(1, 100),
    st.sampled_from(["cpu", "cuda"]), st.integers(1, 200),
)  # fmt: skip
def test_more_of_anything_takes_no_less(
    source: str, layers: int, batch: int, device: Device, eval_batch: int
) -> None:
    first = peak(config_of(source, layers, batch_size=batch, eval_batch_size=eval_batch), device)
    for layers_, batch_, eval_ in (
        (layers, batch + 1, eval_batch),
        (layers, batch, eval_batch + 1),
        (min(12, layers + 1), batch, eval_batch),
    ):
        more = config_of(source, layers_, batch_size=batch_, eval_batch_size=eval_)
        assert peak(more, device) >= first


def test_a_head_that_is_solved_for_needs_room_where_it_is_given_much() -> None:
    def asked(head_start: str, d_ff: int) -> Config:
        model = msgspec.structs.replace(config_of().model, d_ff=d_ff, head_start=head_start)
        train = msgspec.structs.replace(config_of().train, batch_size=1, eval_batch_size=1)
        return msgspec.structs.replace(config_of("embedded", 1), model=model, train=train)

    def items(config: Config, device: Device) -> dict[str, int]:
        return {i.what: i.bytes for phase in plan_of(config, device).memory for i in phase.items}

    assert "solving for the head" not in items(asked("drawn", 64), "cpu")
    assert "solving for the head" not in items(asked("solved", 64), "cuda")
    wide = items(asked("solved", 64), "cpu")["solving for the head"]
    assert wide > items(asked("solved", 56), "cpu")["solving for the head"] > 0
    assert wide <= 4 * 8 * 4097 * (4097 + 96)


def test_the_sum_of_the_items_is_the_peak() -> None:
    for phase in plan_of(config_of()).memory:
        assert phase.bytes == sum(item.bytes for item in phase.items)
        assert all(item.bytes > 0 for item in phase.items)


def test_pieces_and_sgd_take_less() -> None:
    whole = peak(config_of(batch_size=64, eval_batch_size=1))
    assert peak(config_of(batch_size=64, eval_batch_size=1, accumulate=8)) < whole
    adam, sgd = (peak(config_of(optimiser=name, eval_batch_size=1)) for name in ("adam", "sgd"))
    assert adam - sgd == 4 * 153_719_112


def test_the_users_run_fits_its_card_with_6_layers_and_not_with_36() -> None:
    six, all_of_them = (plan_of(config_of(layers=layers), gib=6.0) for layers in (6, 36))
    assert six.fit is not None
    assert six.fit.fits
    assert not six.fit.remedies
    assert all_of_them.backbone.bytes == 2 * 3_085_938_688
    assert all_of_them.fit is not None
    assert not all_of_them.fit.fits
    assert all_of_them.fit.remedies[-1].fits


def config_with(config: Config, changes: tuple[str, ...]) -> Config:
    tables = msgspec.to_builtins(config)
    for change in changes:
        key, _, text = change.partition("=")
        section, _, name = key.partition(".")
        tables[section][name] = int(text) if text.isdecimal() else text
        if text == "true":
            tables[section][name] = True
    return msgspec.convert(tables, Config)


@given(
    st.sampled_from(["Qwen/Qwen2.5-3B", "openai-community/gpt2-xl", "huggyllama/llama-7b"]),
    st.integers(1, 64), st.sampled_from([16, 32, 256, 1_024]), st.floats(0.6, 24.0),
    st.sampled_from(["adam", "adamw", "sgd"]), st.sampled_from(["mapping", "direct"]),
)  # fmt: skip
def test_every_remedy_needs_what_its_changes_come_to(
    source: str, batch: int, eval_batch: int, gib: float, optimiser: str, prototypes: Any
) -> None:
    layers = KNOWN[source].layers
    config = config_of(
        source, layers, batch_size=batch, eval_batch_size=eval_batch, optimiser=optimiser
    )
    model = msgspec.structs.replace(config.model, prototypes=prototypes)
    config = msgspec.structs.replace(config, model=model)
    fit = plan_of(config, gib=gib).fit
    assert fit is not None
    assert fit.fits == (not fit.remedies) or peak(config) > gib * GIB
    needed = [fit.needed_bytes, *(remedy.needed_bytes for remedy in fit.remedies)]
    assert needed == sorted(needed, reverse=True)
    assert not any(remedy.fits for remedy in fit.remedies[:-1])
    for remedy in fit.remedies:
        assert peak(config_with(config, remedy.changes)) == remedy.needed_bytes
        assert remedy.fits == (remedy.needed_bytes <= round(gib * GIB))


def test_what_leaves_the_result_as_it_is_comes_first_and_layers_last() -> None:
    fit = plan_of(config_of(layers=36, batch_size=64, eval_batch_size=256), gib=1.6).fit
    assert fit is not None
    changes = fit.remedies[-1].changes
    assert changes[0] == "train.activation_checkpointing=true"
    assert "backbone.dtype=nf4" in changes
    assert changes[-1].startswith("backbone.layers=")


def test_all_layers_fit_into_6_gb_with_codes_and_not_in_bfloat16() -> None:
    needed = {}
    for dtype in ("bfloat16", "int8", "nf4"):
        for again in (False, True):
            config = config_of(layers=36, activation_checkpointing=again)
            backbone = msgspec.structs.replace(config.backbone, dtype=dtype)
            model = msgspec.structs.replace(config.model, prototypes="direct")
            changed = msgspec.structs.replace(config, backbone=backbone, model=model)
            needed[dtype, again] = peak(changed)
    assert min(needed["bfloat16", again] for again in (False, True)) > 6 * GIB
    assert max(needed[dtype, again] for dtype in ("int8", "nf4") for again in (False, True)) < (
        5.5 * GIB
    )
    for dtype in ("bfloat16", "int8", "nf4"):
        assert needed[dtype, True] < needed[dtype, False]


def test_moments_in_8_bits_take_a_quarter_and_in_pages_nothing_of_the_card() -> None:
    state = {}
    for name in ("fp32", "int8", "paged"):
        (training, *_) = plan_of(config_of(optimiser_state=name)).memory
        state[name] = next(item.bytes for item in training.items if item.what == "optimiser")
    assert state["fp32"] == 8 * 153_719_112
    assert state["int8"] / state["fp32"] == pytest.approx(0.254, abs=0.001)
    assert state["paged"] < 0.005 * state["fp32"]


def test_nothing_makes_a_run_fit_into_a_card_that_is_much_too_small() -> None:
    fit = plan_of(config_of(), gib=1.0).fit
    assert fit is not None
    assert not any(remedy.fits for remedy in fit.remedies)


def test_an_unknown_backbone_has_steps_and_no_weights() -> None:
    plan = plan_of(config_of("somebody/something"))
    assert plan.steps.total == 42_174
    assert (plan.trainable, plan.files, plan.memory) == (None, None, ())
    assert (plan.backbone.parameters, plan.backbone.bytes) == (None, None)


def test_what_was_measured_gives_the_time_and_stands_beside_what_was_foretold() -> None:
    measured = Measured(
        device="cuda", steps=3, batches=2, seconds_per_step=0.5, windows_per_second=100.0,
        training_peak_bytes=11, evaluation_peak_bytes=12, prompt_tokens=201,
        trainable_parameters=1, backbone_parameters=1,
    )  # fmt: skip
    plan = with_measured(plan_of(config_of(test="end")), measured)
    assert plan.time is not None
    assert plan.time.training_s == pytest.approx(42_174 * 0.5)
    assert plan.time.evaluation_s == pytest.approx((3 * 19_495 + 19_495) / 100)
    assert plan.time.total_s == plan.time.training_s + plan.time.evaluation_s
    assert [phase.measured_bytes for phase in plan.memory] == [11, 12, None]
    assert plan.prompt_tokens == 201


def laid_out(source: str, layers: int, device: Device = "cpu", **keys: Any) -> tuple[int, int]:
    """Bytes of products and of words, beside themselves."""
    tables: dict[str, Any] = {
        "data": {"dataset": "ETTh1"}, "model": {"prototypes": keys.pop("prototypes", "mapping")},
        "backbone": {"source": source, "layers": layers, "dtype": keys.pop("dtype", "float32")},
        "train": {"batch_size": 4, **keys},
    }  # fmt: skip
    training, *_ = plan_of(parse_config(tables, "test"), device).memory
    bytes_of = {item.what: item.bytes for item in training.items}
    products, words = (f"{what}: laid out for the processor" for what in ("backbone", "words"))
    return bytes_of.get(products, 0), bytes_of.get(words, 0)


def test_what_is_laid_out_for_a_processor_is_counted() -> None:
    gpt2, numbers, words = "openai-community/gpt2", (6 * 12 + 2) * 768**2, 2 * 50_257 * 768
    assert laid_out(gpt2, 6) == (4 * numbers, 0)
    bf16 = {"dtype": "bfloat16", "precision": "bf16"}
    assert laid_out(gpt2, 6, **bf16) == (2 * numbers, words)
    assert laid_out(gpt2, 6, **bf16, prototypes="direct") == (2 * numbers, 0)
    assert laid_out(gpt2, 6, dtype="int8", precision="bf16") == (0, words)
    assert laid_out(gpt2, 6, precision="bf16") == (0, 0)
    assert laid_out(gpt2, 6, compile=True) == (0, 0)
    assert laid_out(gpt2, 6, "cuda") == (0, 0)
    qwen = "Qwen/Qwen2.5-3B"
    assert laid_out(qwen, 4)[0] > GIB
    assert laid_out(qwen, 36)[0] == 0, "too much of float32"
    assert laid_out(qwen, 36, **bf16)[0] > 4 * GIB


def words_of_prompts(source: str, **tables: Any) -> int:
    """Bytes of what the first layer made of them."""
    train = {"batch_size": 4, **tables.pop("train", {})}
    given = {"data": {"dataset": "ETTh1"}, "backbone": {"source": source}, "train": train, **tables}
    _, evaluation, _ = plan_of(parse_config(given, "test"), "cpu").memory
    return {item.what: item.bytes for item in evaluation.items}.get(
        "words of prompts, in the first layer", 0
    )


def test_words_of_prompts_are_counted_where_a_gpt2_keeps_them() -> None:
    gpt2 = "openai-community/gpt2"
    assert words_of_prompts(gpt2) == KEPT_WORDS_BYTES
    assert words_of_prompts(gpt2, prompt={"statistics": False}) == 0, "prompts are all the same"
    assert words_of_prompts(gpt2, train={"precision": "bf16"}) == 0, "nothing is laid out"
    assert words_of_prompts("Qwen/Qwen2.5-0.5B") == 0
