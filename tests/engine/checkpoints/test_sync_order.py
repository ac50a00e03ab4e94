"""A checkpoint is on the disk, whole, before it takes its name; its name, before it is told of."""

from pathlib import Path

from sync_log import calls_of

SAVES = """
import sys
from pathlib import Path
import torch
from timellm_engine.checkpoints.checkpoint import Contents, FolderStorage
storage = FolderStorage(Path(sys.argv[1]))
for epoch in (1, 2):
    tensors = {"weights": {"w": torch.ones(3)}, "optimiser": {"m": torch.ones(3)}}
    storage.save("last", Contents(epoch=epoch, iteration=0, tensors=tensors, state=b"{}"))
    say(f"saved {epoch}")
"""
FILES = {"weights.safetensors", "optimiser.safetensors", "state.json", "manifest.json"}


def test_every_file_and_both_folders_are_synced_in_the_right_order(tmp_path: Path) -> None:
    root = tmp_path / "checkpoints"
    calls = calls_of(tmp_path, SAVES, root)
    for epoch in (1, 2):
        until = calls.index(("said", f"saved {epoch}", ""))
        calls, one = calls[until + 1 :], calls[:until]
        (named,) = [
            n for n, (verb, _, to) in enumerate(one) if (verb, to) == ("rename", f"{root}/last")
        ]
        aside = Path(one[named][1])
        synced = [what for verb, what, _ in one[:named] if verb == "sync"]
        assert {str(aside / name) for name in FILES} <= set(synced)
        assert synced.index(str(aside / "manifest.json")) > max(
            synced.index(str(aside / name)) for name in FILES - {"manifest.json"}
        ), "what it describes is there before it"
        assert synced.index(str(aside)) > synced.index(str(aside / "manifest.json"))
        assert ("sync", str(root), "") in one[named:], "a name that is lost loses what it names"
