"""`doctor --gpu`: what a card answers, on the screen, as JSON and in a file to send."""

import msgspec
from conftest import Shell
from nvml_driver import FULL, Library

from timellm_ops.probe.gpu_recording import GpuRecording, read_recording, sample_of

UUID = "GPU-00000000-1111-2222-3333-444444444444"


def test_the_card_is_asked_shown_and_recorded_without_its_ids(
    shell: Shell, driver: Library
) -> None:
    driver(FULL)
    done = shell("doctor", "--gpu", "--record", "card.json")
    assert done.code == 0, done
    path = shell.folder / "card.json"
    assert [entry.name for entry in path.parent.glob("*card*")] == ["card.json"]
    assert sample_of(read_recording(path)).temperature_c == 61.0
    assert UUID not in done.out + path.read_text()
    assert "nvmlDeviceGetTemperatureV(0)" in done.out
    assert "NOT_SUPPORTED: the card or driver does not support this" in done.out
    assert "written: card.json; UUID and serial number are replaced in it" in done.out
    again = shell("doctor", "--gpu", "--record", "card.json", "--with-ids", "--json")
    assert again.code == 0, again
    told = msgspec.json.decode(again.out, type=GpuRecording)
    assert told == read_recording(path)
    assert sample_of(told).uuid == UUID


def test_a_gpu_that_is_not_there_is_said_and_recorded(shell: Shell, driver: Library) -> None:
    driver(FULL)
    done = shell("doctor", "--gpu", "--index", "4", "--record", "card.json")
    assert (done.code, "there is no GPU with index 4" in done.out) == (3, True)
    assert read_recording(shell.folder / "card.json").opening.error == "INVALID_ARGUMENT"


def test_a_config_says_which_gpu(shell: Shell, driver: Library) -> None:
    driver(FULL + "value gpus 2\nvalue temperature@1 73\n")
    shell.write("run.toml", '[data]\ndataset = "synthetic"\n[gpu]\nindex = 1\n')
    done = shell("doctor", "run.toml", "--gpu", "--json")
    assert sample_of(msgspec.json.decode(done.out, type=GpuRecording)).temperature_c == 73.0


def test_each_gpu_of_the_machine_is_told_and_of_a_config_its_own(
    shell: Shell, driver: Library
) -> None:
    driver(FULL + "value gpus 2\nvalue temperature@1 73\n")
    shell.write("one.toml", '[data]\ndataset = "synthetic"\n[gpu]\nindex = 1\n')
    shell.write("none.toml", '[data]\ndataset = "synthetic"\n[gpu]\nindex = 2\n')
    everything, one, none = (
        shell("doctor"),
        shell("doctor", "one.toml"),
        shell("doctor", "none.toml"),
    )
    assert "number 0 of 0 to 1, 61 °C" in everything.out
    assert "number 1 of 0 to 1, 73 °C" in everything.out
    assert ("73 °C" in one.out, "61 °C" in one.out) == (True, False)
    assert (none.code, "gpu.index: found 2; expected 0 to 1" in none.out) == (3, True)


def test_a_mistyped_name_costs_no_other_file(shell: Shell) -> None:
    path = shell.write("run.toml", "[data]\n")
    done = shell("doctor", "--gpu", "--record", "run.toml")
    assert (done.code, "is no recording" in done.error) == (2, True)
    assert path.read_text() == "[data]\n"
    nowhere = shell("doctor", "--gpu", "--record", "nowhere/card.json")
    assert (nowhere.code, "in a folder that is there" in nowhere.error) == (2, True)


def test_what_belongs_to_the_card_is_refused_without_it(shell: Shell) -> None:
    done = shell("doctor", "--record", "card.json")
    assert (done.code, "belong to doctor --gpu" in done.error) == (2, True)
