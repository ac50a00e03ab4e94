"""An evaluation in words: what is compared, by how much, and in which units."""

from string import Formatter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from timellm_ops.cli.evaluation_page import evaluation_page, sentence, sparkline
from timellm_ops.cli.evaluation_texts import CHINESE, ENGLISH, TEXTS
from timellm_ops.cli.text_table import table
from timellm_ops.contract.evaluation import (
    BaselineScore,
    Computed,
    Evaluation,
    Score,
    VariableScore,
    compare,
    recorded_beside,
)


def baseline(name: str, mse: float | None) -> BaselineScore:
    return BaselineScore(name=name, detail="some words", mse=mse, mae=mse)


def evaluation(
    mse: float, baselines: tuple[BaselineScore, ...] = (), variables: int = 2
) -> Evaluation:
    return Evaluation(
        run_id="r", split="test", checkpoint="best", epoch=2, iteration=9, whole_epoch=True,
        seq_len=512, pred_len=96, windows=1000 * variables, mse=mse, mae=mse,
        variables=tuple(
            VariableScore(
                name=f"v{i}", mse=mse + i, mae=mse, mse_original=4.0, mae_original=1.5,
                deviation=2.0,
            )
            for i in range(variables)
        ),
        by_step=tuple(Score(mse=mse * step, mae=mse) for step in range(1, 97)),
        baselines=baselines, digest="d" * 64,
        computed=Computed(batch_size=256, device="cpu", threads=2, torch="2"), seconds=3.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mse", "words"),
    [
        (0.3, "25.0 % better than the best baseline, DLinear: MSE 0.3000 against 0.4000"),
        (0.5, "25.0 % worse than the best baseline, DLinear: MSE 0.5000 against 0.4000"),
        (0.40001, "as good as the best baseline, DLinear"),
    ],
)
def test_one_sentence_says_whether_the_model_helps(mse: float, words: str) -> None:
    others = (baseline("last value", 1.0), baseline("DLinear", 0.4), baseline("none", None))
    assert words in sentence(evaluation(mse, others))


def test_without_a_baseline_that_can_forecast_nothing_is_compared() -> None:
    assert "no baseline" in sentence(evaluation(0.3, (baseline("none", None),)))
    assert "no baseline" in sentence(evaluation(0.3, (baseline("perfect", 0.0),)))


@given(
    st.floats(0.01, 9.0),
    st.lists(st.one_of(st.none(), st.floats(0.01, 9.0)), max_size=5),
)
def test_the_best_baseline_is_the_one_with_the_lowest_error(
    mse: float, errors: list[float | None]
) -> None:
    found = compare(mse, [baseline(str(i), error) for i, error in enumerate(errors)])
    able = [error for error in errors if error is not None]
    if not able:
        assert found is None
        return
    assert found is not None
    assert found.mse == min(able) == errors[int(found.name)]
    assert found.skill is not None
    assert (1 - found.skill) * found.mse == pytest.approx(mse)


def test_a_page_has_every_number_that_people_compare() -> None:
    found = evaluation(0.3, (baseline("DLinear", 0.4), baseline("none", None)))
    found = msgspec.structs.replace(
        found, recorded=recorded_beside(found, 0.3, 0.31), files=("/x/y.json",)
    )
    page = "\n".join(evaluation_page(found))
    for words in ("1,000 windows × 2 variables = 2,000", "MAE in its unit", "1.5", "some words",
                  "0.3000000, MAE 0.3100000, NOT the same", "d" * 64, "/x/y.json", "epoch 2",
                  "512 steps in, 96 out"):  # fmt: skip
        assert words in page
    assert not any(line.endswith(" ") for line in page.splitlines())


def test_a_save_within_an_epoch_is_told_by_its_step() -> None:
    found = msgspec.structs.replace(evaluation(0.3), whole_epoch=False)
    assert "epoch 2, step 9" in "\n".join(evaluation_page(found))


def test_of_imported_weights_no_epoch_is_made_up() -> None:
    found = msgspec.structs.replace(evaluation(0.3), whole_epoch=False, epoch=0, iteration=0)
    assert next(evaluation_page(found)) == "r: weights best, imported"


def test_of_many_variables_the_worst_are_shown_and_the_rest_counted() -> None:
    page = "\n".join(evaluation_page(evaluation(0.3, variables=40)))
    assert "v39" in page
    assert "v5 " not in page
    assert "28 more" in page


def test_a_page_can_do_without_anything_but_ascii() -> None:
    found = evaluation(0.3, (baseline("DLinear", 0.4),))
    assert "\n".join(evaluation_page(found, ascii_only=True)).isascii()


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=200))
def test_a_sparkline_has_a_cell_for_each_few_steps_and_ends_at_its_extremes(
    errors: list[float],
) -> None:
    drawn = sparkline([Score(mse=error, mae=0.0) for error in errors])
    assert len(drawn) == min(32, len(errors))
    assert "▁" in drawn
    if len(errors) <= 32 and max(errors) > min(errors) + 1e-9:
        assert drawn[errors.index(max(errors))] == "█"


@pytest.mark.parametrize(("off", "agrees"), [(0.0, True), (5e-6, True), (2e-5, False)])
def test_a_record_agrees_up_to_the_rounding_of_single_precision(off: float, agrees: bool) -> None:
    found = evaluation(0.37)
    assert recorded_beside(found, 0.37 * (1 + off), None).agrees == agrees
    assert recorded_beside(found, 0.37, 0.37 * (1 - off)).agrees == agrees


def blanks(text: object) -> set[str]:
    """What a text leaves to be filled in."""
    if isinstance(text, dict):
        return set().union(*(blanks(part) for part in text.values()))
    return {name for _, name, _, _ in Formatter().parse(str(text)) if name}


def test_both_languages_say_the_same_things() -> None:
    assert set(TEXTS) == {"en", "zh"}
    for name in ENGLISH.__struct_fields__:
        assert blanks(getattr(ENGLISH, name)) == blanks(getattr(CHINESE, name)), name


def test_a_chinese_page_has_the_numbers_of_the_english_one() -> None:
    found = evaluation(0.3, (baseline("last value", 0.4), baseline("DLinear", 0.5)))
    page = "\n".join(evaluation_page(found, CHINESE))
    assert "Time-LLM 比最好的基线 最后一个值 好 25.0 %：MSE 0.3000 对 0.4000。" in page
    assert "每一步都取窗口的最后一个值" in page
    assert "some words" not in page
    assert "d" * 64 in page
    assert "测试划分，1,000 个窗口 × 2 个变量 = 2,000" in page


@given(st.lists(st.text("ab 一二", max_size=6), min_size=1, max_size=5))
def test_the_columns_of_a_table_stand_under_each_other_whatever_is_in_them(
    names: list[str],
) -> None:
    lines = list(table([("名字", "MSE"), *((name, "0.5") for name in names)]))
    assert len({cell_len(line) for line in lines}) == 1
    assert all(line.endswith("0.5") for line in lines[1:])
