"""Logs of other programs for the tests of patterns, and what a pattern file makes of one."""

from collections.abc import Sequence
from pathlib import Path

from timellm_ops.adapters.pattern_file import Patterns, load_patterns, parse_patterns
from timellm_ops.adapters.pattern_log import PatternLog
from timellm_ops.contract import events as ev

FIXTURES = Path(__file__).parents[1] / "fixtures"
HF = (FIXTURES / "hf_trainer.log").read_bytes()
"""Printed by the Trainer of transformers 5 on 44 samples: 3 epochs of 11 steps, a loss every 5."""
HF_INFO = (FIXTURES / "hf_trainer_info.log").read_bytes()
"""The same at the log level "info"."""


def shipped(name: str) -> Patterns:
    return load_patterns(name, "test")


def file_of(*patterns: str, head: str = "") -> Patterns:
    """A pattern file of these tables, each without its title."""
    text = head + "".join(f"\n[[pattern]]\n{pattern}\n" for pattern in patterns)
    return parse_patterns(text.encode(), "my.toml")


def told(patterns: Patterns, *chunks: bytes) -> list[tuple[ev.Event, int]]:
    log = PatternLog(patterns)
    return [found for chunk in chunks for found in log.feed(chunk)] + log.finish()


def events_of(patterns: Patterns, text: str) -> list[ev.Event]:
    return [event for event, _ in told(patterns, text.encode())]


def time_series_library(
    validations: Sequence[float], steps: int = 265, patience: int = 3, test: bool = True
) -> str:
    """What Time-Series-Library prints for a long-term forecast: each epoch's validation loss is
    given."""
    lines, best, counter = [">>>>>>>start training : long_term_forecast_x>>>>>>>>"], None, 0
    for epoch, vali in enumerate(validations, start=1):
        for i in range(100, steps + 1, 100):
            lines.append(f"\titers: {i}, epoch: {epoch} | loss: {1 / (epoch + i):.7f}")
            left_s = 0.02 * ((len(validations) - epoch + 1) * steps - i + 1)
            lines.append(f"\tspeed: 0.0200s/iter; left time: {left_s:.4f}s")
        lines.append(f"Epoch: {epoch} cost time: {0.02 * steps}")
        lines.append(
            f"Epoch: {epoch}, Steps: {steps} | Train Loss: {vali / 2:.7f} "
            f"Vali Loss: {vali:.7f} Test Loss: {vali / 3:.7f}"
        )
        if best is None or vali <= best:
            before = "inf" if best is None else f"{best:.6f}"
            lines.append(f"Validation loss decreased ({before} --> {vali:.6f}).  Saving model ...")
            best, counter = vali, 0
        else:
            counter += 1
            lines.append(f"EarlyStopping counter: {counter} out of {patience}")
            if counter >= patience:
                lines.append("Early stopping")
                break
        lines.append(f"Updating learning rate to {1e-4 * 0.5 ** (epoch - 1)}")
    if test:
        lines.append(">>>>>>>testing : long_term_forecast_x<<<<<<<<")
        lines.append("test shape: (2785, 96, 7) (2785, 96, 7)")
        lines.append("mse:0.38662, mae:0.40185, dtw:Not calculated")
    return "\n".join(lines) + "\n"
