"""What a start of the engine does not load, because it would take longer than the rest of it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import events_of, only, tiny_run

from timellm_ops.contract import events as ev

HEAVY = (
    "transformers", "huggingface_hub", "torch._dynamo", "torch._inductor", "sympy",
    "torch.distributed.tensor", "pandas", "pyarrow", "matplotlib",
)  # fmt: skip
_RUN = f"""
import sys
from timellm_engine import __main__ as engine
code = engine.main(sys.argv[1:])
print(code, *[name for name in {HEAVY!r} if name in sys.modules])
"""


def run_and_list(*options: str) -> list[str]:
    """The engine's exit code, and what it has loaded of the above."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _RUN, *options],
        check=True, capture_output=True, text=True, timeout=120.0,
    )  # fmt: skip
    return done.stdout.splitlines()[-1].split()


@pytest.mark.slow
def test_training_with_the_embedded_backbone_loads_no_library_of_models_and_no_compiler(
    tmp_path: Path,
) -> None:
    layout = tiny_run(tmp_path, train__epochs=1)
    assert run_and_list("--run-dir", str(layout.root)) == ["0"]
    assert only(layout, ev.Progress)
    assert isinstance(events_of(layout)[-1], ev.TrainingFinished)
