"""What can be refused before a run folder is made, each in one line that says what to change."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from small_disk import small_disk

from timellm_ops.backbones import EMBEDDED
from timellm_ops.cli.exits import exit_code_of
from timellm_ops.contract.config import (
    BackboneSection,
    Config,
    DataSection,
    ForeignSection,
    GpuSection,
    ModelSection,
)
from timellm_ops.contract.state import RunState, SavedCheckpoint
from timellm_ops.contract.telemetry import HostSample
from timellm_ops.datasets import DownloadFailed, KnownDataset
from timellm_ops.planning.files import most_files
from timellm_ops.preflight import (
    DataUnusable,
    Preflight,
    PreflightError,
    disk_needed_bytes,
    preflight,
)
from timellm_policies.disk import decisions as disk_decisions
from timellm_policies.situation import Situation

MIB = 1 << 20
NOWHERE = {"XDG_CACHE_HOME": "/nonexistent", "HF_HUB_CACHE": "/nonexistent"}
COLUMNS = "date,HUFL,OT"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def small(**data: Any) -> Config:
    """A config that a short file is enough for."""
    section = {"dataset": "synthetic", "seq_len": 24, "pred_len": 8, **data}
    return Config(data=DataSection(**section), model=ModelSection(patch_len=8, stride=4))


def csv_file(path: Path, rows: int, header: str = COLUMNS) -> Path:
    """Readings of every hour."""
    first = datetime(2016, 7, 1)  # noqa: DTZ001 - a series has no time zone
    lines = (f"{first + timedelta(hours=hour)},{hour % 24},{hour % 7}\n" for hour in range(rows))
    path.write_text(f"{header}\n" + "".join(lines))
    return path


def custom(path: Path, **data: Any) -> Config:
    return small(dataset="custom", path=str(path), **data)


def checked(config: Config, runs: Path, **env: str) -> Preflight:
    return preflight(config, runs_root=runs, env={**NOWHERE, **env})


def refusal(config: Config, runs: Path, **env: str) -> str:
    with pytest.raises(PreflightError) as raised:
        checked(config, runs, **env)
    text = str(raised.value)
    assert text.isprintable(), "one line, and nothing that a terminal would act on"
    return text


# --- what it loads -------------------------------------------------------------------------------


def test_the_checks_load_nothing_heavy() -> None:
    script = (
        "import sys; before = set(sys.modules); import timellm_ops.preflight;"
        " print(*set(sys.modules) - before)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    loaded = {name.partition(".")[0] for name in said.stdout.split()}
    assert "timellm_ops" in loaded
    assert loaded.isdisjoint({"torch", "transformers", "numpy", "pandas", "textual", "rich"})


# --- what is found -------------------------------------------------------------------------------


def test_a_run_that_can_go_gets_a_sentence_on_each_check(tmp_path: Path) -> None:
    config = small()
    found = checked(config, tmp_path / "runs")
    assert found.config == config
    assert found.data is None
    kinds = [words.split()[0] for words in found.findings]
    assert kinds == ["Synthetic", "Backbone:", "Disk:", "Memory:"]
    assert found.findings[0] == "Synthetic data, 4,000 rows from seed 2021."
    assert all(words.endswith((".", "…")) for words in found.findings)


def test_nothing_is_made(tmp_path: Path) -> None:
    checked(small(), tmp_path / "deep" / "runs")
    refusal(small(dataset="ETTh1"), tmp_path / "deep" / "runs")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_in_the_manifest_and_its_path_in_the_config(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "load.csv", 500)
    found = checked(custom(path), tmp_path)
    assert found.config.data.path == str(path)
    assert found.data is not None
    assert (found.data.path, found.data.bytes) == (str(path), path.stat().st_size)
    assert found.findings[0] == f"Data: {path}, 500 rows, sha256 {found.data.sha256[:12]}…"
    assert found.findings[1] == "Rows from 2016-07-01 00:00:00 to 2016-07-21 19:00:00, 1h apart."
    assert all(words.endswith((".", "…")) for words in found.findings)


def test_what_was_done_to_the_data_is_a_finding(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "load.csv", 500)
    lines = path.read_text().splitlines()
    lines[30] = lines[30].rpartition(",")[0] + ","
    path.write_text("\n".join([*lines[:100], *lines[102:]]))
    findings = checked(custom(path, missing="previous"), tmp_path).findings
    assert any('1 cell of 498 without a finite number, first nothing in column "OT"' in words
               for words in findings)  # fmt: skip
    assert any(words.startswith("2 timestamps are skipped in 1 place") for words in findings)


def test_an_altered_file_of_a_known_set_is_let_through_where_it_was_asked_for(
    tmp_path: Path,
) -> None:
    path = csv_file(tmp_path / "ETTh1.csv", 20 * 30 * 24)
    found = checked(small(dataset="ETTh1", path=str(path)), tmp_path)
    assert "This is not the published ETTh1: its bytes differ." in found.findings
    assert any("the usual file of ETTh1 has 17420 and 7" in words for words in found.findings)


def test_the_published_data_set_is_found_and_recorded(tmp_path: Path) -> None:
    folder = os.environ.get("TIMELLM_DATA_DIR", "")
    if not folder:
        pytest.skip("the ETT files are looked for in TIMELLM_DATA_DIR")
    found = checked(Config(data=DataSection(dataset="ETTh1")), tmp_path, TIMELLM_DATA_DIR=folder)
    assert found.config.data.path == str(Path(folder).resolve() / "ETTh1.csv")
    assert ", 17,420 rows, sha256 f18de3ad269c…" in found.findings[0]
    assert not any("not the published" in words for words in found.findings)


def test_a_download_is_tried_only_where_one_is_given(tmp_path: Path) -> None:
    def download(known: KnownDataset, target: Path) -> None:
        raise DownloadFailed("the cable is cut")

    config = small(dataset="ETTh2")
    with pytest.raises(PreflightError, match="the cable is cut"):
        preflight(config, runs_root=tmp_path, env=NOWHERE, download=download)
    assert "downloads are off" in refusal(config, tmp_path)


# --- refusals: data ------------------------------------------------------------------------------


def test_a_data_set_that_is_nowhere(tmp_path: Path) -> None:
    text = refusal(small(dataset="ETTh1", path="/nonexistent/a.csv"), tmp_path)
    assert text.startswith("the data set ETTh1 was not found: data.path /nonexistent/a.csv (no")
    assert "configs/quickstart.toml" in text


def unusable(config: Config, runs: Path) -> str:
    with pytest.raises(DataUnusable) as raised:
        checked(config, runs)
    assert str(raised.value).isprintable()
    assert exit_code_of(raised.value) == 2
    return str(raised.value)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("time,HUFL,OT", 'data.date_column: found no column "date" in {}; expected one of time, '),
        (
            'date,"a\nb\x1b[31m"',
            'data.target: found no column "OT" in {}; expected one of a\\',
        ),
        ("date\udcff,OT", "data.path: found {}, which is no CSV file in UTF-8"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_file_that_is_not_as_the_config_says_is_bad_input(
    tmp_path: Path, header: str, words: str
) -> None:
    path = tmp_path / "load.csv"
    path.write_text(f"{header}\n", errors="surrogateescape")
    assert unusable(custom(path), tmp_path / "runs").startswith(words.format(path))
    assert not (tmp_path / "runs").exists()


def test_the_first_problem_is_told_and_how_many_there_are(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "load.csv", 500)
    path.write_text(path.read_text().replace("2016-07-02 00:00:00,0,", "2016-07-02 01:00:00,?,"))
    text = unusable(custom(path), tmp_path)
    assert text.startswith(f'{path}, column "HUFL", row 25 (line 26): found "?"; expected a finite')
    assert text.endswith("(and 1 more; timellm-ops data lists them)")


def test_a_file_that_is_too_short(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "load.csv", 60)
    assert unusable(custom(path), tmp_path) == (
        f"{path}: found 60 rows, of which 30 for validation with its look-back; expected at "
        "least 32 there: data.seq_len 24 and data.pred_len 8; more rows, or shorter windows"
    )


def test_synthetic_rows_that_leave_no_window(tmp_path: Path) -> None:
    text = unusable(small(pred_len=400, synthetic_rows=2200), tmp_path)
    assert text.startswith("data.synthetic_rows: found 2,200 rows, of which 244 for validation")


# --- refusals: backbone --------------------------------------------------------------------------


def backbone(folder: Path, **numbers: int) -> Path:
    settings = {"num_hidden_layers": 4, "hidden_size": 48, "vocab_size": 300, **numbers}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def with_backbone(source: str, layers: int | None = None, d_ff: int = 32) -> Config:
    return msgspec.structs.replace(
        small(),
        backbone=BackboneSection(source=source, layers=layers),
        model=ModelSection(patch_len=8, stride=4, d_ff=d_ff),
    )


def test_a_local_backbone_that_fits(tmp_path: Path) -> None:
    folder = str(backbone(tmp_path / "b"))
    assert f"Backbone: {folder}." in checked(with_backbone(folder, 4, 48), tmp_path).findings


def test_a_folder_that_is_no_backbone(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    text = refusal(with_backbone(missing), tmp_path)
    assert text == f"backbone.source: {missing} is no folder"
    folder = backbone(tmp_path / "b")
    (folder / "model.safetensors").unlink()
    text = refusal(with_backbone(str(folder)), tmp_path)
    assert text.startswith(f"backbone.source: {folder} has no weights as .safetensors")


@pytest.mark.parametrize("source", ["embedded", "folder", "hub"])
def test_more_than_the_backbone_has(tmp_path: Path, source: str) -> None:
    env, layers, hidden = {}, 4, 48
    if source == "folder":
        source = str(backbone(tmp_path / "b"))
    elif source == "hub":
        source, env = "org/name", {"HF_HUB_CACHE": str(tmp_path / "hub")}
        model = tmp_path / "hub" / "models--org--name"
        backbone(model / "snapshots" / "0123")
        (model / "refs").mkdir()
        (model / "refs" / "main").write_text("0123\n")
    else:
        assert EMBEDDED.layers is not None
        assert EMBEDDED.hidden_size is not None
        layers, hidden = EMBEDDED.layers, EMBEDDED.hidden_size
    checked(with_backbone(source, layers, hidden), tmp_path, **env)
    text = refusal(with_backbone(source, layers + 1), tmp_path, **env)
    assert text == (
        f"backbone.layers: found {layers + 1}; expected at most {layers}, the layers of {source}"
    )
    text = refusal(with_backbone(source, d_ff=hidden + 1), tmp_path, **env)
    assert text == (
        f"model.d_ff: found {hidden + 1}; expected at most {hidden}, the hidden size of {source}"
    )


def test_numbers_that_a_backbone_leaves_to_its_family_are_left_to_the_engine(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "b"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "gemma3"}')
    (folder / "model.safetensors").write_bytes(b"")
    checked(with_backbone(str(folder), 999, 9999), tmp_path)


def test_a_hub_backbone_is_the_engines_to_fetch_unless_that_is_forbidden(tmp_path: Path) -> None:
    config = with_backbone("org/name", layers=999)
    words = "Backbone: org/name will be fetched from the hub when the engine starts."
    assert words in checked(config, tmp_path).findings
    assert refusal(config, tmp_path, HF_HUB_OFFLINE="1") == (
        "backbone.source: org/name is not in the hub's cache, and HF_HUB_OFFLINE forbids to fetch "
        "it"
    )


# --- refusals: foreign commands ------------------------------------------------------------------


def foreign(workdir: Path | str) -> Config:
    section = ForeignSection(command="bash run.sh", workdir=str(workdir))
    return msgspec.structs.replace(small(dataset="custom", path="-"), foreign=section)


def test_a_foreign_command_needs_no_data_of_ours(tmp_path: Path) -> None:
    found = checked(foreign(tmp_path), tmp_path)
    assert found.config == foreign(tmp_path)
    assert found.findings[0].startswith(f"A foreign command in {tmp_path};")
    assert [words.split()[0] for words in found.findings] == ["A", "Its", "Disk:", "Memory:"]


def test_a_foreign_command_without_its_folder(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert refusal(foreign(missing), tmp_path) == f"foreign.workdir: {missing} is no folder"
    assert "is no folder" in refusal(foreign("/" + "x" * 300), tmp_path)


def test_a_foreign_command_without_bash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    text = refusal(foreign(tmp_path), tmp_path)
    assert text == "foreign.command: bash was not found, which runs the command"


# --- refusals: disk ------------------------------------------------------------------------------


def test_a_disk_that_is_too_small(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=1024) as disk:
        runs = disk / "deep" / "runs"
        text = refusal(small(), runs)
        assert text.startswith(f"the runs folder {runs}: 1.00 MiB are free, about ")
        assert text.endswith("MiB are needed for checkpoints and records")


def test_checkpoints_that_no_disk_can_hold(tmp_path: Path) -> None:
    huge = msgspec.structs.replace(
        small(), model=ModelSection(patch_len=8, stride=4, num_prototypes=10**12)
    )
    assert "PiB are needed for checkpoints and records" in refusal(huge, tmp_path / "runs")


def test_a_runs_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", read_only=True) as disk:
        runs = disk / "runs"
        text = refusal(small(), runs)
        assert text == f"the runs folder {runs}: no permission to write in {disk}"


def test_a_runs_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for runs in (tmp_path / "file", tmp_path / "file" / "runs"):
        text = refusal(small(), runs)
        assert text == f"the runs folder {runs}: {tmp_path / 'file'} is not a folder"
    runs = tmp_path / ("x" * 300)
    assert refusal(small(), runs) == f"the runs folder {runs}: File name too long"


def test_what_is_needed_covers_two_of_each_checkpoint() -> None:
    """Time-LLM's own size: the mapping of 50,257 words to 1,000 prototypes dominates."""
    config = Config(data=DataSection(dataset="ETTh1"), model=ModelSection(prototypes="mapping"))
    shape = msgspec.structs.replace(EMBEDDED, hidden_size=768, vocab_size=50257)
    mapping = 4 * 1000 * 50257
    needed = disk_needed_bytes(config, shape)
    assert 8 * mapping < needed < 9 * mapping + 512 * MIB
    unknown = msgspec.structs.replace(shape, vocab_size=None)
    assert disk_needed_bytes(config, None) == disk_needed_bytes(config, unknown) < needed


def test_a_run_is_resumed_with_room_for_what_is_not_there_yet() -> None:
    config = Config(data=DataSection(dataset="ETTh1"), model=ModelSection(prototypes="mapping"))
    shape = msgspec.structs.replace(EMBEDDED, hidden_size=768, vocab_size=50257)
    start = disk_needed_bytes(config, shape)
    checkpoints = 4 * 4 * 1000 * 50257
    assert disk_needed_bytes(config, shape, checkpoints) == start - checkpoints
    # However much is there, the next checkpoint is written beside the one that it replaces.
    assert disk_needed_bytes(config, shape, start) > 3 * 4 * 1000 * 50257 + 256 * MIB


@pytest.mark.parametrize("prototypes", [100, 20_000])
def test_a_run_begins_with_as_much_room_as_it_goes_on_with_after_a_full_disk(
    prototypes: int,
) -> None:
    model = ModelSection(patch_len=8, stride=4, num_prototypes=prototypes)
    config = msgspec.structs.replace(small(), model=model)
    files = most_files(config, EMBEDDED.hidden_size or 0, EMBEDDED.vocab_size or 0)
    state = RunState(
        host=HostSample(disk_free_bytes=0),
        best=SavedCheckpoint(kind="best", path="b", bytes=files.best_bytes),
        last=SavedCheckpoint(kind="last", path="l", bytes=files.last_bytes),
    )
    now = Situation(policy=config.policy, state=state, recent=(), now_t=1.0, now_at=NOON)
    until = disk_decisions(now)[0].until
    kept = files.best_bytes + files.last_bytes
    resumed = disk_needed_bytes(config, EMBEDDED, kept)
    assert resumed - files.bundle_bytes <= bytes_in(until) <= 1.01 * resumed
    assert disk_needed_bytes(config, EMBEDDED) >= resumed


def bytes_in(text: str) -> float:
    number, unit = re.findall(r"([\d.]+) ([KMG]iB)", text)[0]
    return float(number) * 1024.0 ** ("BKMG".index(unit[0]))


@pytest.mark.parametrize(
    ("visible", "index", "watched"), [("3", 0, 3), ("2,0", 1, 0), ("", 1, 1), ("GPU-1a2b", 0, 0)]
)
def test_the_gpu_that_is_trained_on_is_the_one_that_is_watched(
    tmp_path: Path, visible: str, index: int, watched: int
) -> None:
    config = msgspec.structs.replace(with_backbone("embedded"), gpu=GpuSection(index=index))
    found = checked(config, tmp_path, CUDA_VISIBLE_DEVICES=visible)
    assert found.config.gpu.index == watched


@pytest.mark.parametrize(
    ("visible", "index", "uuid"),
    [("GPU-1a2b,GPU-3c4d", 1, "GPU-3c4d"), ("MIG-77", 0, "MIG-77"), ("0,GPU-1a2b", 1, "GPU-1a2b")],
)
def test_a_gpu_that_is_visible_by_its_uuid_is_watched_by_it(
    tmp_path: Path, visible: str, index: int, uuid: str
) -> None:
    config = msgspec.structs.replace(with_backbone("embedded"), gpu=GpuSection(index=index))
    found = checked(config, tmp_path, CUDA_VISIBLE_DEVICES=visible)
    assert (found.config.gpu.index, found.config.gpu.uuid) == (0, uuid)
    assert any(uuid in finding for finding in found.findings)


def test_a_uuid_that_is_not_visible_is_refused(tmp_path: Path) -> None:
    config = msgspec.structs.replace(with_backbone("embedded"), gpu=GpuSection(uuid="GPU-1a2b"))
    assert checked(config, tmp_path, CUDA_VISIBLE_DEVICES="GPU-1a").config.gpu.uuid == "GPU-1a2b"
    text = refusal(config, tmp_path, CUDA_VISIBLE_DEVICES="GPU-9")
    assert text.startswith("gpu.uuid: found GPU-1a2b; expected one of")


def test_a_gpu_that_is_not_visible_is_refused(tmp_path: Path) -> None:
    config = msgspec.structs.replace(with_backbone("embedded"), gpu=GpuSection(index=1))
    text = refusal(config, tmp_path, CUDA_VISIBLE_DEVICES="0")
    assert text.startswith("gpu.index: found 1; expected below 1")
