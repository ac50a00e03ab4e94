"""Tables of a comparison: medians, ratios against the right base, and goals."""

import sys

import pytest
from engine_tables import Figures, goals_table, ratio, size_table, speed_table
from turns import ContenderFailed, Process

from engine import compare

ANSWERS = {
    "step": '{"loss": 1.0, "seconds": 0.5}',
    "prepare": '{"seconds": 0.25}',
    "evaluate": '{"windows": 8, "seconds": 2.0}',
    "forecast": '{"values": [1.0, -2.0], "seconds": 0.1}',
    "peak": '{"bytes": 1048576, "seconds": 0.0}',
    "sizes": '{"bytes": {"checkpoint": 10}, "seconds": 0.0}',
    "remark": '{"text": "not recorded: no room", "seconds": 0.0}',
}
SCRIPT = f"""
import sys
print('{{"device": "a device"}}', flush=True)
for line in sys.stdin:
    print({ANSWERS!r}[line.split()[0]], flush=True)
    if line == sys.argv[1]:
        sys.exit(3)
"""


def figures(name: str, precision: str, steps_s: list[float], windows_s: float) -> Figures:
    return Figures(
        name=name, precision=precision, device="cpu", started_s=1.0, steps_s=steps_s,
        windows_s=[windows_s], prepared_s=[0.0], forecast=[2.0, -4.0],
        training_peak_bytes=100 << 20, peak_bytes=200 << 20,
        file_bytes={"checkpoint": 1_000_000, "bundle": 10_000},
    )  # fmt: skip


PUBLISHED = figures("published fp32", "fp32", [9.0, 6.0, 6.0], 2.0)
PUBLISHED_BF16 = figures("published bf16", "bf16", [3.0], 4.0)
DIRECT = figures("direct fp32", "fp32", [0.5], 20.0)
DIRECT_BF16 = figures("direct bf16", "bf16", [0.25], 40.0)
ALL = [PUBLISHED, PUBLISHED_BF16, DIRECT, DIRECT_BF16]


def cells(table: str, name: str) -> dict[str, str]:
    """A row by its heads; of two columns of one name, the last."""
    head, _, *rows = (line.strip("| ").split(" | ") for line in table.splitlines())
    (row,) = (row for row in rows if row[0] == name)
    assert len(row) == len(head)
    return dict(zip(head, row, strict=True))


def test_a_ratio_is_of_medians_and_against_the_same_precision_and_float32() -> None:
    assert ratio(DIRECT, PUBLISHED, "step") == 12.0
    row = cells(speed_table(ALL, batch=4), "direct bf16")
    assert (row["step s"], row["steps/s"], row["samples/s"]) == ("0.250", "4.00", "16.0")
    assert "| 12.00 | 24.00 | 40.00 | 10.00 | 20.00 |" in speed_table(ALL, batch=4)
    assert cells(speed_table(ALL, 4), "published fp32")["fastest to slowest"] == "6.000 to 9.000"


def test_without_the_published_computation_there_are_figures_and_no_ratios() -> None:
    row = cells(speed_table([DIRECT], batch=4), "direct fp32")
    assert (row["step s"], row["× fp32"], row["differs"]) == ("0.500", "-", "-")
    assert cells(size_table([DIRECT]), "direct fp32")["share"] == "-"


def test_a_goal_is_met_or_not_and_one_that_was_not_measured_is_no_goal() -> None:
    table = goals_table(ALL)
    assert cells(table, "direct fp32 step")["met"] == "yes"
    assert cells(table, "best step against fp32 (direct bf16)")["measured"] == "24.00 ×"
    assert cells(table, "peak memory of training, direct fp32")["met"] == "no"
    assert cells(table, "bundle against the published checkpoint")["measured"] == "1.0%"
    assert "mapping" not in table


def test_processes_take_turns_and_the_first_rounds_are_not_counted() -> None:
    process = Process("one", [sys.executable, "-c", SCRIPT, ""])
    process.wait_for_start()
    (found,) = compare({"one": process}, {"one": "fp32"}, rounds=3, evaluations=2)
    process.close()
    assert (found.steps_s, found.windows_s) == ([0.5] * 3, [4.0] * 2)
    assert found.prepared_s == [0.25] * 2
    assert (found.device, found.losses, found.peak_bytes) == ("a device", [1.0] * 3, 1 << 20)
    assert found.file_bytes == {"checkpoint": 10}
    assert found.remark == "not recorded: no room"


def test_a_contender_that_ends_too_early_is_named() -> None:
    process = Process("one", [sys.executable, "-c", SCRIPT, "step 2\n"])
    process.wait_for_start()
    with pytest.raises(ContenderFailed, match="one ended"):
        compare({"one": process}, {"one": "fp32"}, rounds=3, evaluations=2)
    process.close()
    with pytest.raises(ContenderFailed, match="exit code 5"):
        Process("two", [sys.executable, "-c", "raise SystemExit(5)"]).wait_for_start()
