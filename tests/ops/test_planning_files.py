"""What a run needs on disk, from its config and two numbers of its backbone."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.config import (
    CheckpointSection,
    Config,
    DataSection,
    ModelSection,
    TrainSection,
)
from timellm_ops.contract.shapes import folded_shapes, trainable_shapes
from timellm_ops.planning.files import files_plan, most_files

CONFIG = Config(data=DataSection(dataset="ETTh1"), model=ModelSection(prototypes="mapping"))


def test_the_users_checkpoint_is_the_600_mb_that_people_see() -> None:
    shapes = trainable_shapes(CONFIG.model, 512, 96, embedding_size=2_048, vocab_size=151_936)
    folded = folded_shapes(shapes, CONFIG.model, 2_048)
    files = files_plan(TrainSection(), CheckpointSection(), "cuda", shapes, folded)
    assert files.best_bytes == 614_877_656
    numbers = 4 * 153_719_112
    assert 3 * numbers < files.last_bytes < 3 * numbers + 12_000  # Adam keeps two more of each
    assert files.bundle_bytes < 16_000_000
    assert files.most_bytes == 2 * (files.best_bytes + files.last_bytes) + files.bundle_bytes


@given(st.integers(1, 4), st.integers(1, 5))
def test_each_step_that_is_kept_takes_as_much_as_last(keep: int, every: int) -> None:
    def most(section: CheckpointSection) -> int:
        return most_files(msgspec.structs.replace(CONFIG, checkpoint=section), 64, 512).most_bytes

    shapes = trainable_shapes(CONFIG.model, 512, 96, embedding_size=64, vocab_size=512)
    last = files_plan(TrainSection(), CheckpointSection(), "cuda", shapes, shapes).last_bytes
    none, some = most(CheckpointSection()), most(CheckpointSection(keep=keep, every_steps=every))
    assert some - none == (keep + 1) * last  # one more while the oldest is still there
    assert most(CheckpointSection(keep=keep)) == none
