"""Inference bundles: small, whole, and with the forecasts of the run to the last bit."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from full_disk import files_end_at
from tiny_backbones import FAMILIES, save_backbone
from tiny_runs import run_here, tiny_run

from timellm_engine.checkpoints.bundle import LoadedBundle, load_bundle
from timellm_engine.checkpoints.bundle_writer import BundleError, write_bundle
from timellm_engine.checkpoints.export import export
from timellm_engine.errors import InputError
from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.results.trained import Trained, load_trained
from timellm_engine.run_config import read_config
from timellm_ops.contract.bundle import Exported, ExportQuestion, Origin
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection
from timellm_ops.contract.layout import RunLayout

ORIGIN = Origin(run_id="r", checkpoint="best", epoch=1, iteration=6)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    layout = tiny_run(
        tmp_path_factory.mktemp("bundled"), data__synthetic_columns=3,
        checkpoint__every_steps=5, checkpoint__keep=1, model__prototypes="mapping",
    )  # fmt: skip
    run_here(layout)
    return layout


@pytest.fixture(scope="module")
def trained(run: RunLayout) -> Trained:
    return load_trained(run, read_config(run), "best")


@pytest.fixture
def bundle(run: RunLayout, tmp_path: Path) -> Path:
    """A copy to do harm to."""
    return shutil.copytree(run.bundle, tmp_path / "bundle")


def test_its_forecasts_are_the_runs_own_bit_for_bit(run: RunLayout, trained: Trained) -> None:
    random = torch.get_rng_state()
    loaded = load_bundle(run.bundle)
    assert torch.equal(torch.get_rng_state(), random)
    windows, _ = trained.job.data.test.batch(torch.arange(len(trained.job.data.test)))
    with torch.inference_mode():
        expected = trained.job.model(windows)
    assert torch.equal(loaded.forecast_scaled(windows), expected)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_folding_changes_no_bit_whatever_the_backbone(
    family: str, precision: str, tmp_path: Path
) -> None:
    source = save_backbone(tmp_path / family, family)
    backbone = load_backbone(BackboneSection(source=str(source)), seed=0)
    sections = (ModelSection(d_ff=8, num_prototypes=20), PromptSection(), "A series.", 64, 8)

    def model(*, folded: bool) -> TimeLLM:
        return TimeLLM(backbone, *sections, precision=precision, folded=folded).eval()  # type: ignore[arg-type]

    whole, folded = model(folded=False), model(folded=True)
    folded.load_trainable_state(whole.folded_state())
    x = torch.randn(5, 64)
    with torch.inference_mode():
        assert torch.equal(folded(x), whole(x))
    assert not [name for name in folded.trainable_state() if "mapping" in name]


def test_it_says_where_it_comes_from_and_what_it_needs(run: RunLayout, trained: Trained) -> None:
    told = load_bundle(run.bundle).description
    assert (told.origin.run_id, told.origin.checkpoint) == (run.run_id, "best")
    assert told.origin.epoch == trained.epoch
    assert None not in (told.origin.vali_mse, told.origin.vali_mae, told.origin.test_mse)
    assert [column.name for column in told.columns] == list(trained.job.data.columns)
    assert told.prompt.description == trained.job.model.description != ""
    assert told.backbone.digest == trained.job.backbone.digest
    assert (told.seq_len, told.pred_len, told.frequency) == (16, 4, trained.job.data.frequency)
    assert told.digests == trained.job.identity.digests
    size = sum(path.stat().st_size for path in run.bundle.iterdir())
    weights = (run.checkpoints / "best" / "weights.safetensors").stat().st_size
    assert size < weights
    assert {path.name for path in run.bundle.iterdir()} == {"bundle.json", "weights.safetensors"}


def test_forecasts_are_in_original_units(run: RunLayout, trained: Trained) -> None:
    loaded, data = load_bundle(run.bundle), trained.job.data
    history = data.values[:16]
    found = loaded.forecast(history)
    scaled = ((history - np.array(data.mean)) / np.array(data.deviation)).T.astype(np.float32)
    answer = loaded.forecast_scaled(torch.from_numpy(scaled)).numpy().T
    np.testing.assert_allclose(found, answer * np.array(data.deviation) + np.array(data.mean))
    assert found.shape == (4, 3)
    for wrong in (history[:15], history[:, :2], np.where(history == history[3], np.nan, history)):
        with pytest.raises(ValueError, match="history"):
            loaded.forecast(wrong)


@pytest.mark.parametrize(
    ("file", "harm", "words"),
    [
        ("weights.safetensors", "cut", "does not describe"),
        ("weights.safetensors", "altered", "does not describe"),
        ("weights.safetensors", "gone", "cannot be read"),
        ("bundle.json", "cut", "cannot be read"),
        ("bundle.json", "gone", "no bundle.json"),
    ],
)
def test_a_damaged_one_is_refused_in_one_line(
    bundle: Path, file: str, harm: str, words: str
) -> None:
    path = bundle / file
    whole = path.read_bytes()
    match harm:
        case "cut":
            path.write_bytes(whole[:-9])
        case "altered":
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case _:
            path.unlink()
    with pytest.raises(InputError, match=words) as caught:
        load_bundle(bundle)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "found format 2; expected format 1"),
        ({"seq_len": 24}, "do not fit"),
    ],
)
def test_one_that_does_not_fit_together_is_refused(
    bundle: Path, change: dict[str, int], words: str
) -> None:
    path = bundle / "bundle.json"
    tables = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**tables, **change}))
    with pytest.raises(InputError, match=words):
        load_bundle(bundle)


def test_another_backbone_is_refused(bundle: Path, tmp_path: Path) -> None:
    other = save_backbone(tmp_path / "gpt2", "gpt2")
    with pytest.raises(InputError, match=r"another backbone .* expected embedded"):
        load_bundle(bundle, backbone=str(other))


def forecast_of(folder: Path) -> torch.Tensor:
    return load_bundle(folder).forecast_scaled(torch.linspace(-1, 1, 16).unsqueeze(0))


def test_a_new_one_takes_the_place_of_the_old_and_nothing_else(
    bundle: Path, trained: Trained, tmp_path: Path
) -> None:
    write_bundle(bundle, trained.job, ORIGIN)
    assert load_bundle(bundle).description.origin == ORIGIN
    (bundle / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"other files \(notes.txt\)"):
        write_bundle(bundle, trained.job, ORIGIN)
    with pytest.raises(InputError, match="found a file"):
        write_bundle(bundle / "notes.txt", trained.job, ORIGIN)
    assert {path.name for path in tmp_path.iterdir()} == {"bundle"}


def test_a_full_disk_leaves_the_one_before(bundle: Path, trained: Trained, tmp_path: Path) -> None:
    before = load_bundle(bundle).description
    with files_end_at(500), pytest.raises(BundleError, match="was not written: File too large"):
        write_bundle(bundle, trained.job, ORIGIN)
    assert load_bundle(bundle).description == before
    assert {path.name for path in tmp_path.iterdir()} == {"bundle"}


@pytest.mark.parametrize("checkpoint", ["best", "last", "step-35"])
def test_any_checkpoint_can_be_exported(run: RunLayout, tmp_path: Path, checkpoint: str) -> None:
    target = tmp_path / "deep" / "bundle"
    done: Exported = export(
        ExportQuestion(run=str(run.root), checkpoint=checkpoint, to=str(target))
    )
    loaded: LoadedBundle = load_bundle(target)
    assert loaded.description == done.bundle
    assert done.bytes == sum(path.stat().st_size for path in target.iterdir())
    assert (loaded.description.origin.vali_mse is None) == (checkpoint == "step-35")
    own = load_trained(run, read_config(run), checkpoint)
    windows, _ = own.job.data.vali.batch(torch.arange(9))
    with torch.inference_mode():
        assert torch.equal(loaded.forecast_scaled(windows), own.job.model(windows))


def test_the_runs_own_bundle_is_what_export_makes(run: RunLayout, tmp_path: Path) -> None:
    export(ExportQuestion(run=str(run.root), checkpoint="best", to=str(tmp_path / "bundle")))
    for name in ("weights.safetensors", "bundle.json"):
        assert (tmp_path / "bundle" / name).read_bytes() == (run.bundle / name).read_bytes()


def test_a_checkpoint_that_is_not_there_is_refused(run: RunLayout, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="step-999"):
        export(ExportQuestion(run=str(run.root), checkpoint="step-999", to=str(tmp_path / "b")))
    assert not (tmp_path / "b").exists()
