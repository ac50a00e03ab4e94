"""The names inside a run's folder."""

from pathlib import Path

from timellm_ops.contract.layout import RunLayout


def test_every_path_of_a_run_is_its_own_and_inside_the_runs_folder() -> None:
    layout = RunLayout(Path("runs/20260131-214503-etth1-7f3a"))
    assert layout.run_id == "20260131-214503-etth1-7f3a"
    names = [name for name, found in vars(RunLayout).items() if isinstance(found, property)]
    paths = [getattr(layout, name) for name in names if name != "run_id"]
    assert len(paths) >= 14
    assert len(set(paths)) == len(paths)
    assert all(path.parent == layout.root for path in paths)
