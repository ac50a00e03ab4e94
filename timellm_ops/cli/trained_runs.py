"""Which runs have weights that can be used, and in which checkpoint."""

from timellm_ops.cli.errors import UsageError
from timellm_ops.configfile import NO_DATA
from timellm_ops.contract.checkpoint_names import in_place, kind_of, previous_name
from timellm_ops.contract.layout import RunLayout
from timellm_ops.store import load_config


def check_trained(layout: RunLayout, checkpoint: str) -> None:
    """Raise `UsageError` for a run without the checkpoint that is asked for.

    The engine would find out as well, but only once it is loaded, which takes seconds.
    """
    folder = layout.checkpoints
    try:
        kind_of(checkpoint)
    except ValueError:
        raise UsageError(
            f'--checkpoint: found "{checkpoint}"; expected best, last or step-N'
        ) from None
    if (folder / checkpoint).is_dir() or (folder / previous_name(checkpoint)).is_dir():
        return
    names = _names(layout)
    if names:
        raise UsageError(
            f'{layout.run_id}: found no checkpoint "{checkpoint}"; expected one of '
            f"{', '.join(names)}, which it has: name it by --checkpoint"
        )
    if load_config(layout).data.path == NO_DATA:
        raise UsageError(
            f"{layout.run_id}: found the record of a script's training, with no weights of ours; "
            "expected a run of our own engine, or an imported checkpoint file"
        )
    raise UsageError(
        f"{layout.run_id}: found no checkpoint yet; expected a run that has saved its weights: "
        "the first time is at the end of its first epoch, or when it is stopped"
    )


def _names(layout: RunLayout) -> list[str]:
    """Checkpoints in place, the best one first."""
    try:
        found = [entry.name for entry in layout.checkpoints.iterdir() if entry.is_dir()]
    except OSError:
        return []
    return in_place(found)
