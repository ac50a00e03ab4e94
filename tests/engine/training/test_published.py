"""The printed lines, letter by letter as the published code's users know them."""

from timellm_engine.training import published


def test_a_progress_record_is_two_lines_with_a_leading_tab() -> None:
    lines = published.progress_lines(100, 1, 1.29196894, 1.11351, 46846.53342)
    assert lines == (
        "\titers: 100, epoch: 1 | loss: 1.2919689\n\tspeed: 1.1135s/iter; left time: 46846.5334s"
    )


def test_the_lines_of_an_epochs_end() -> None:
    assert published.cost_line(1, 16200.45) == "Epoch: 1 cost time: 16200.45"
    assert published.epoch_line(1, 0.12009848, 0.053889, 0.02805792, 0.127099) == (
        "Epoch: 1 | Train Loss: 0.1200985 Vali Loss: 0.0538890 "
        "Test Loss: 0.0280579 MAE Loss: 0.1270990"
    )
    assert published.improvement_line(None, 0.3912) == (
        "Validation loss decreased (inf --> 0.391200).  Saving model ..."
    )
    assert published.improvement_line(0.053889, 0.052851) == (
        "Validation loss decreased (0.053889 --> 0.052851).  Saving model ..."
    )
    assert published.counter_line(1, 10) == "EarlyStopping counter: 1 out of 10"
    assert published.EARLY_STOPPING_LINE == "Early stopping"
    assert published.rate_line(9.999999999999983e-05) == (
        "Updating learning rate to 9.999999999999983e-05"
    )


def test_a_printed_left_time_stands_for_the_published_codes_steps() -> None:
    # speed 0.1361 and left 131.3678 in the first epoch of 4 with 266 steps each, at step 100
    assert published.steps_left(epochs=4, steps_per_epoch=266, epoch=1, iteration=100) == 965
    assert published.steps_left(epochs=4, steps_per_epoch=266, epoch=2, iteration=100) == 699
