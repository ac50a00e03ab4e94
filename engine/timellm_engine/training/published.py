"""The lines that the published code prints, to the letter, so that tools which read them go on."""


def progress_lines(iteration: int, epoch: int, loss: float, speed_s: float, left_s: float) -> str:
    """A progress record: two lines, each with a leading tab."""
    return (
        f"\titers: {iteration}, epoch: {epoch} | loss: {loss:.7f}\n"
        f"\tspeed: {speed_s:.4f}s/iter; left time: {left_s:.4f}s"
    )


def steps_left(epochs: int, steps_per_epoch: int, epoch: int, iteration: int) -> int:
    """The steps that a printed left time stands for: the one just done is counted, as published.

    Tools recover the steps of an epoch from it.
    """
    return (epochs - epoch + 1) * steps_per_epoch - iteration + 1


def cost_line(epoch: int, seconds: float) -> str:
    """How long an epoch's training took."""
    return f"Epoch: {epoch} cost time: {seconds}"


def epoch_line(
    epoch: int, train_loss: float, vali_mse: float, test_mse: float, test_mae: float
) -> str:
    """An epoch's results. A test that was not made is `nan`, which readers of numbers can take."""
    return (
        f"Epoch: {epoch} | Train Loss: {train_loss:.7f} Vali Loss: {vali_mse:.7f} "
        f"Test Loss: {test_mse:.7f} MAE Loss: {test_mae:.7f}"
    )


def improvement_line(previous_mse: float | None, vali_mse: float) -> str:
    """Said before the best weights are written. The two blanks are as published."""
    before = "inf" if previous_mse is None else f"{previous_mse:.6f}"
    return f"Validation loss decreased ({before} --> {vali_mse:.6f}).  Saving model ..."


def counter_line(counter: int, patience: int) -> str:
    """An epoch without improvement."""
    return f"EarlyStopping counter: {counter} out of {patience}"


EARLY_STOPPING_LINE = "Early stopping"


def rate_line(lr: float) -> str:
    """The learning rate from the next epoch on."""
    return f"Updating learning rate to {lr}"
