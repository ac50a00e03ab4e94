"""For all tests: nothing is asserted about time, so property tests have no deadline either."""

import signal
from pathlib import Path

import pytest
from hypothesis import settings
from nvml_driver import Library, compile_drivers

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # As a shell leaves it to what it starts in the background, and from there to every child.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return compile_drivers(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def driver(compiled: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Put a driver of a given generation, playing a given script, in front of any real one."""

    def install(script: str, generation: str = "new") -> Path:
        path = tmp_path / "script"
        path.write_text(script)
        monkeypatch.setenv("NVML_STUB_SCRIPT", str(path))
        monkeypatch.setenv("LD_LIBRARY_PATH", str(compiled[generation]))
        return path

    return install
