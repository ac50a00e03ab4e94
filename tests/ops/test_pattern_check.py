"""What a person is shown of a log and the patterns that they write for it."""

from pattern_logs import HF_INFO, file_of, shipped, time_series_library

from timellm_ops.adapters.pattern_check import FIRST_UNMATCHED, check_log

PROGRESS = "event = 'progress'\nregex = 'step (?P<iteration>\\d+) loss (?P<loss>\\S+)'"


def test_matches_are_counted_with_the_first_of_each() -> None:
    found = check_log(
        file_of(PROGRESS, "event = 'finished'\nregex = 'the end'"),
        [b"hello\n\n  \nstep 1 lo", b"ss 0.5\nstep 2 loss 0.4\n"],
    )
    progress, finished = found.counts
    assert (progress.matches, finished.matches) == (2, 0)
    assert progress.first is not None
    assert (progress.first.line, progress.first.text) == (4, "step 1 loss 0.5")
    assert finished.first is None
    assert (found.pieces, found.matched) == (3, 2)
    assert found.events == {"EpochStarted": 1, "Progress": 2}
    assert [(line.line, line.text) for line in found.unmatched] == [(1, "hello")]


def test_a_line_that_only_differs_in_its_numbers_is_shown_once() -> None:
    log = "".join(f"memory {n} MiB\n" for n in range(50)) + "".join(
        f"{'x' * n}\n" for n in range(50)
    )
    found = check_log(file_of(PROGRESS), [log.encode()])
    assert len(found.unmatched) == FIRST_UNMATCHED
    assert [line.text for line in found.unmatched[:2]] == ["memory 0 MiB", "x"]


def test_a_field_that_cannot_be_read_makes_no_match() -> None:
    found = check_log(file_of(PROGRESS), [b"step 1 loss none\n"])
    assert found.matched == 0
    assert found.events == {}


def test_a_slow_pattern_is_named() -> None:
    slow = file_of("event = 'learning_rate'\nregex = '(?P<lr>(a+)+)$'", PROGRESS)
    found = check_log(slow, [b"a" * 100 + b"!\nstep 1 loss 0.5\n"])
    assert len(found.slow) == 1
    assert "pattern 1 (learning_rate)" in found.slow[0]
    assert found.counts[1].matches == 1


def test_lines_are_numbered_as_an_editor_does_in_blocks_of_any_size() -> None:
    lines = HF_INFO.decode().split("\n")
    for size in (1, 64, 1 << 20):
        blocks = [HF_INFO[at : at + size] for at in range(0, len(HF_INFO), size)]
        found = check_log(shipped("hf-trainer"), blocks)
        for count in found.counts:
            assert count.first is not None
            shown = count.first.text.split("{")[-1].split("|")[0]
            assert shown in lines[count.first.line - 1]


def test_the_shipped_patterns_match_each_line_that_matters() -> None:
    log = time_series_library([0.7, 0.6, 0.65, 0.66, 0.67]).encode()
    found = check_log(shipped("time-series-library"), [log])
    assert all(count.matches > 0 for count in found.counts)
    assert [line.text[:9] for line in found.unmatched] == [">>>>>>>st"]
