"""Writes what the published training script writes, from its own format strings."""

from collections.abc import Sequence
from dataclasses import dataclass

BAR_EVERY = 25


@dataclass(frozen=True)
class Epoch:
    """What happens in one epoch. `pace_s`: real seconds of a step, for each progress record."""

    losses: Sequence[float]
    pace_s: Sequence[float]
    train: float
    vali: float
    test: float
    mae: float
    lr: float


@dataclass(frozen=True)
class Script:
    """A training as `run_main.py` does it. `shares`: over so many GPUs an epoch is divided."""

    epochs: int
    steps: int
    patience: int = 10
    log_every: int = 100
    shares: int = 1

    def output(self, epochs: Sequence[Epoch], *, bars: bool = True) -> list[tuple[str, str]]:
        """What is printed (`out`) and drawn (`bar`), in order."""
        out: list[tuple[str, str]] = []
        best, counter = float("inf"), 0
        for number, epoch in enumerate(epochs, start=1):
            out += self._training(number, epoch, bars)
            seconds = self.seconds(epoch)
            out.append(("out", f"Epoch: {number} cost time: {seconds}\n"))
            if bars:
                out += [("bar", bar(n, n // 20)) for n in (0, 40, 89)]
                out.append(("bar", f"{bar(89, 4)}\n"))
            results = f"Train Loss: {epoch.train:.7f} Vali Loss: {epoch.vali:.7f}"
            results += f" Test Loss: {epoch.test:.7f} MAE Loss: {epoch.mae:.7f}"
            out.append(("out", f"Epoch: {number} | {results}\n"))
            if epoch.vali <= best:
                decreased = f"({best:.6f} --> {epoch.vali:.6f})"
                out.append(("out", f"Validation loss decreased {decreased}.  Saving model ...\n"))
                best, counter = epoch.vali, 0
            else:
                counter += 1
                out.append(("out", f"EarlyStopping counter: {counter} out of {self.patience}\n"))
                if counter >= self.patience:
                    out.append(("out", "Early stopping\n"))
                    break
            if number == 1:
                out.append(("out", f"lr = {epoch.lr:.10f}\n"))
            out.append(("out", f"Updating learning rate to {epoch.lr}\n"))
        return out

    def seconds(self, epoch: Epoch) -> float:
        """How long the epoch's training takes."""
        mean = sum(epoch.pace_s) / len(epoch.pace_s) if epoch.pace_s else 0.1
        return self.steps // self.shares * mean + 0.123456789

    def _training(self, number: int, epoch: Epoch, bars: bool) -> list[tuple[str, str]]:
        out: list[tuple[str, str]] = []
        done, seconds = self.steps // self.shares, self.seconds(epoch)
        for step in range(done + 1):
            if bars and (step % BAR_EVERY == 0 or step == done):
                out.append(("bar", bar(step, int(seconds * step / done))))
            if step and step % self.log_every == 0:
                record = step // self.log_every - 1
                pace_s = epoch.pace_s[record]
                left_s = pace_s * ((self.epochs - number + 1) * self.steps - (step - 1))
                loss = epoch.losses[record]
                out.append(("out", f"\titers: {step}, epoch: {number} | loss: {loss:.7f}\n"))
                out.append(("out", f"\tspeed: {pace_s:.4f}s/iter; left time: {left_s:.4f}s\n"))
        if bars:
            out.append(("bar", f"{bar(done, int(seconds))}\n"))
        return out


def bar(done: int, elapsed_s: int) -> str:
    """A bar as tqdm draws it over something without a length."""
    speed = "?it/s" if done == 0 else " 7.93it/s"
    return f"\r{done}it [{elapsed_s // 60:02d}:{elapsed_s % 60:02d}, {speed}]"


def text(output: Sequence[tuple[str, str]]) -> bytes:
    """All of it, as it stands in a file."""
    return "".join(part for _, part in output).encode()


def lines(output: Sequence[tuple[str, str]]) -> list[bytes]:
    """What is printed alone, line by line."""
    return [part.encode() for kind, part in output if kind == "out"]


LOADING = (
    "\rLoading weights:   0%|          | 0/28 [00:00<?, ?it/s]"
    "\rLoading weights: 100%|██████████| 28/28 [00:00<00:00, 19293.66it/s]\n"
)

SMALL = Script(epochs=5, steps=230)
"""Of the training in `fixtures/published.log`, which is cut off after three of its epochs."""

SMALL_EPOCHS = (
    Epoch((0.4512349, 0.3901027), (0.1361, 0.1284), 0.4300171, 0.3912004, 0.3850119, 0.40882, 4e-4),
    Epoch((0.3712345, 0.3655501), (0.2969, 0.1248), 0.3698802, 0.3954410, 0.3799006, 0.40107, 2e-4),
    Epoch((0.3607090, 0.3500001), (0.3098, 0.1296), 0.3555559, 0.3888017, 0.3707713, 0.39822, 1e-4),
)  # fmt: skip
