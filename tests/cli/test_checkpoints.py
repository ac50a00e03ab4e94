"""What a person does with checkpoints: refused under another config, exported, imported."""

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import torch
from conftest import TINY, Shell
from safetensors.torch import load_file

from timellm_engine.model.timellm import PUBLISHED_NAMES
from timellm_ops.configfile import read_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import Journal, read_records
from timellm_ops.manifest import collect_manifest

SAVING = TINY.replace(
    "[gpu]", "[backbone]\nlayers = 1\n\n[checkpoint]\nevery_steps = 5\nkeep = 2\n\n[gpu]"
).replace("[model]", '[model]\nprototypes = "mapping"')


@pytest.mark.slow
def test_a_run_is_resumed_under_its_own_config_alone_and_then_exported_and_imported(
    shell: Shell,
) -> None:
    shell.write("run.toml", SAVING)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.last is not None)
    assert shell("stop", "--wait").code == 0
    layout = shell.run

    own = layout.config.read_text(encoding="utf-8")
    other = own.replace("batch_size = 16", "batch_size = 8").replace("seed = 2021", "seed = 7")
    layout.config.write_text(other, encoding="utf-8")
    assert shell("run", "--resume", "latest", "--plain").code == 2
    refused = shell.state()
    assert refused.outcome == "refused"
    assert "run.seed: found 7; expected 2021" in refused.end_reason
    assert "train.batch_size 8 (16)" in refused.end_reason
    assert str(layout.config) in refused.end_reason

    layout.config.write_text(own, encoding="utf-8")
    assert shell("run", "--resume", "latest", "--plain").code == 0
    finished = shell.state()
    assert finished.outcome == "finished"
    steps = sorted(path.name for path in layout.checkpoints.glob("step-*"))
    assert len(steps) == 2

    to = shell.folder / "out" / "bundle"
    done = shell("export", "latest", "--to", "out/bundle", "--json")
    assert done.code == 0, done
    told = msgspec.json.decode(done.out)
    assert (told["schema"], told["path"]) == ("timellm-ops.export/1", str(to))
    assert told["bundle"]["origin"]["test_mse"] == finished.final_mse
    for name in ("weights.safetensors", "bundle.json"):
        assert (to / name).read_bytes() == (layout.bundle / name).read_bytes()

    imported = import_best(shell, layout)
    again = imported.checkpoints / "best" / "weights.safetensors"
    assert again.read_bytes() == (layout.checkpoints / "best" / "weights.safetensors").read_bytes()
    (listed,) = [
        run for run in msgspec.json.decode(shell("list", "--json").out)["runs"]
        if run["run_id"] == imported.run_id
    ]  # fmt: skip
    assert (listed["engine"], listed["state"]) == ("imported", "finished")
    refusal = shell("run", "--resume", imported.run_id)
    assert (refusal.code, "optimiser" in refusal.error) == (2, True)
    events = [record.event for record in read_records(imported.journal)]
    assert [type(event) for event in events[-2:]] == [ev.CheckpointSaved, ev.RunEnded]


def import_best(shell: Shell, layout: RunLayout) -> RunLayout:
    """The best weights in a file as the published script leaves it, imported as a run."""
    own = load_file(layout.checkpoints / "best" / "weights.safetensors")
    torch.save({PUBLISHED_NAMES[n]: t for n, t in own.items()}, shell.folder / "checkpoint")
    done = shell("import", "checkpoint", "--config", "run.toml", "--set", "run.name=theirs")
    assert done.code == 0, done
    assert re.search(r"^13 tensors, [\d,]+ numbers, stored as float32; 0 of", done.err)
    return RunLayout(shell.store.root / done.out.strip())


def test_where_all_was_done_and_nobody_wrote_it_down_resuming_is_only_that(shell: Shell) -> None:
    config = read_config(shell.write("run.toml", TINY))
    now = datetime.now(UTC)
    manifest = collect_manifest(now=now, command_line=(), workdir=shell.folder, gpu="none")
    layout = shell.store.create("run", now, config, manifest)
    journal = Journal.open(layout.journal)
    journal.append(ev.RunStarted(run_id=layout.run_id, name="run", engine="timellm"))
    journal.close()
    told = (ev.TestEvaluated(mse=0.25, mae=0.5, windows=9, epoch=1), ev.TrainingFinished(epoch=2))
    layout.engine_events.write_bytes(b"".join(ev.encode_event(each) + b"\n" for each in told))
    done = shell("run", "--resume", "latest", "--plain")
    assert done.code == 0, done
    state = shell.state()
    assert (state.outcome, state.final_mse) == ("finished", 0.25)
    assert not layout.engine_process.exists()  # no engine was started for it
    assert shell("run", "--resume", "latest").code == 2


def test_a_checkpoint_file_without_its_config_is_told_what_is_missing(shell: Shell) -> None:
    torch.save({"a": torch.zeros(3)}, shell.folder / "checkpoint")
    done = shell("import", "checkpoint")
    assert (done.code, "--config CONFIG.toml" in done.error) == (2, True)
    assert not shell.store.runs()


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_leaves_no_run(shell: Shell) -> None:
    torch.save({"a": torch.zeros(3)}, shell.folder / "checkpoint")
    shell.write("run.toml", TINY)
    done = shell("import", "checkpoint", "--config", "run.toml")
    assert done.code == 2
    assert "0 of its 13 trained tensors" in done.error
    assert list((shell.folder / "runs").iterdir()) == []


def test_what_cannot_be_exported_is_one_line(shell: Shell) -> None:
    assert shell("export").code == 2
    log = Path(__file__).parents[1] / "fixtures"
    source = log / "published.log"
    assert shell("import", str(source)).code == 0
    done = shell("export", "latest")
    assert (done.code, "script's training" in done.error) == (2, True)
    assert shell("export", "latest", "--checkpoint", "../best").code == 2
