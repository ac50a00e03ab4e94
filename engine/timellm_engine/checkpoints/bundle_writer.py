"""Makes an inference bundle of a model with its weights: a few megabytes, whatever the mapping."""

import shutil
from pathlib import Path

import msgspec
from safetensors import SafetensorError
from safetensors.torch import save_file

from timellm_engine.durable import aside_of, put_in_place, sync, synced, why_not_written
from timellm_engine.errors import InputError, PreflightError
from timellm_engine.training.build import Job
from timellm_ops.contract.bundle import (
    DESCRIPTION,
    WEIGHTS,
    Bundle,
    Column,
    Exported,
    FrozenBackbone,
    Origin,
    Reading,
)


class BundleError(PreflightError):
    """A bundle could not be written; what was there before stands. The text is one line."""


def write_bundle(folder: Path, job: Job, origin: Origin) -> Exported:
    """Make a bundle of the weights that are in the job's model now, whole or not at all.

    It takes the place of a bundle that is there. Raises `InputError` for a folder of anything
    else, and `BundleError` where it cannot be written.
    """
    check_target(folder)
    aside = aside_of(folder)
    state = job.model.folded_state()
    size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        save_file({n: t.contiguous() for n, t in state.items()}, aside / WEIGHTS)
        weights = synced(aside / WEIGHTS)
        bundle = _described(job, origin, weights.bytes, weights.sha256)
        text = msgspec.json.format(msgspec.json.encode(bundle), indent=2) + b"\n"
        (aside / DESCRIPTION).write_bytes(text)
        description = synced(aside / DESCRIPTION)
        sync(aside)
        put_in_place(aside, folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        reason = why_not_written(error, folder.parent, size)
        raise BundleError(f"{folder}: the bundle was not written: {reason}") from None
    return Exported(path=str(folder), bytes=weights.bytes + description.bytes, bundle=bundle)


def check_target(folder: Path) -> None:
    """Refuse to replace what is no bundle. Raises `InputError`."""
    expected = "a new folder, or a bundle to replace"
    try:
        names = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise InputError(str(folder), "a file", expected) from None
    except OSError as error:
        found = f"a folder that cannot be read ({error.strerror or error})"
        raise InputError(str(folder), found, expected) from None
    others = sorted(names - {DESCRIPTION, WEIGHTS})
    if others:
        raise InputError(str(folder), f"a folder with other files ({others[0]})", expected)


def _described(job: Job, origin: Origin, size: int, sha256: str) -> Bundle:
    config, data = job.config, job.data
    prompt = msgspec.structs.replace(config.prompt, description=job.model.description)
    return Bundle(
        model=config.model,
        prompt=prompt,
        seq_len=config.data.seq_len,
        pred_len=config.data.pred_len,
        columns=tuple(
            Column(name=name, mean=mean, deviation=deviation)
            for name, mean, deviation in zip(data.columns, data.mean, data.deviation, strict=True)
        ),
        tested=tuple(data.columns[index] for index in data.tested),
        frequency=data.frequency,
        precision=config.train.precision,
        backbone=FrozenBackbone(
            section=config.backbone,
            seed=config.run.seed,
            name=job.backbone.name,
            digest=job.backbone.digest,
        ),
        origin=origin,
        digests=job.identity.digests,
        weights_bytes=size,
        weights_sha256=sha256,
        reading=Reading(
            date_column=config.data.date_column,
            missing=config.data.missing,
            duplicates=config.data.duplicates,
            unordered=config.data.unordered,
            gaps=config.data.gaps,
        ),
    )
