"""The seventeen answers: right numbers, both languages, diagrams that line up everywhere."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from sample_facts import LIMITS, etth1, facts, plan_of
from sample_journals import STATES

from timellm_dashboard.answers.answer import DIAGRAM_CELLS, Answer, Diagram, Say
from timellm_dashboard.answers.draw import draw_answer, draw_brief
from timellm_dashboard.answers.facts import SCRIPT, Facts, whose
from timellm_dashboard.answers.questions import QUESTIONS, answers, find_question
from timellm_dashboard.lines import text_of, width_of
from timellm_dashboard.words.text import Lang
from timellm_ops.configfile import default_config

CHINESE = re.compile(r"[\u4e00-\u9fff]")
SOME_STATES = ("", "first_steps", "training", "paused_thermal", "finished", "failed", "foreign")
LANGS: tuple[Lang, ...] = ("en", "zh")


def answer(topic: str, of: Facts, lang: Lang = "en") -> Answer:
    return next(found for found in answers(of, lang) if found.id == topic)


def diagrams(found: Answer) -> list[Diagram]:
    return [block for block in found.blocks if isinstance(block, Diagram)]


def drawn(found: Answer, width: int = 88, *, ascii_only: bool = False) -> list[str]:
    return [text_of(row) for row in draw_answer(found, width, ascii_only=ascii_only)]


def test_there_are_seventeen_each_by_its_name_and_its_number() -> None:
    assert len(QUESTIONS) == 17
    for number, question in enumerate(QUESTIONS, 1):
        assert find_question(question.id) is question
        assert find_question(str(number)) is question
    assert find_question("18") is None


def test_the_published_windows_of_etth1_come_out_to_the_iteration() -> None:
    of = facts()
    found = answer("iterations", of).numbers
    assert (found["rows"], found["windows"], found["samples"]) == (8640, 8033, 56231)
    assert answer("total", of).numbers["total_iterations"] == 42_174
    assert answer("windows", of).numbers["patches"] == 64
    assert answer("batch", of).numbers["patches_per_batch"] == 256
    splits = answer("splits", of).numbers
    assert [splits[f"{name}_rows"] for name in ("train", "vali", "test")] == [8640, 2880, 2880]


@st.composite
def configs(draw: st.DrawFn) -> list[str]:
    patch = draw(st.integers(2, 24))
    seq = draw(st.integers(patch, 120))
    values = {
        "data.dataset": "synthetic",
        "data.synthetic_rows": draw(st.integers(900, 2000)),
        "data.synthetic_columns": draw(st.integers(1, 5)),
        "data.seq_len": seq,
        "data.pred_len": draw(st.integers(1, 60)),
        "model.patch_len": patch,
        "model.stride": draw(st.integers(1, patch)),
        "model.d_model": draw(st.integers(1, 64)),
        "model.d_ff": draw(st.integers(1, 64)),
        "model.n_heads": draw(st.integers(1, 8)),
        "train.batch_size": draw(st.integers(1, 64)),
        "train.epochs": draw(st.integers(1, 5)),
        "train.drop_last": draw(st.sampled_from(["true", "false"])),
    }
    return [f"{key}={value}" for key, value in values.items()]


@settings(max_examples=60, deadline=None)
@given(configs())
def test_the_arithmetic_is_that_of_counting(overrides: list[str]) -> None:
    config = default_config(overrides)
    of = Facts(kind="config", name="c.toml", config=config, plan=plan_of(config))
    data, model, train = config.data, config.model, config.train
    rows = list(range(int(data.synthetic_rows * data.train_ratio)))
    length = data.seq_len + data.pred_len
    windows = [rows[i : i + length] for i in rows if i + length <= len(rows)]
    samples = len(windows) * data.synthetic_columns
    batches = [
        min(train.batch_size, samples - first) for first in range(0, samples, train.batch_size)
    ]
    if train.drop_last and batches[-1] < train.batch_size and len(batches) > 1:
        batches = batches[:-1]
    padded = data.seq_len + model.stride
    patches = len(range(0, padded - model.patch_len + 1, model.stride))
    told = answer("iterations", of).numbers
    assert told["windows"] == len(windows)
    assert told["samples"] == samples
    assert told["iterations_per_epoch"] == len(batches)
    assert answer("total", of).numbers["total_iterations"] == train.epochs * len(batches)
    assert answer("windows", of).numbers["patches"] == patches
    last = range((patches - 1) * model.stride, (patches - 1) * model.stride + model.patch_len)
    repeated = sum(step >= data.seq_len for step in last)
    assert answer("windows", of).numbers["repeated_steps"] == repeated
    assert of.plan.trainable is not None
    assert of.patches == of.plan.trainable.patches == patches
    embedding = answer("embedding", of).numbers["parameters"]
    tensors = answer("weights", of).numbers
    assert embedding == tensors["patch_embedding.convolution.weight"]
    assert tensors["head.linear.weight"] == model.d_ff * patches * data.pred_len
    for found in answers(of, "en"):
        for diagram in diagrams(found):
            assert all(cell_len(row) <= DIAGRAM_CELLS for row in diagram.rows)


def test_the_weights_are_those_of_the_plan() -> None:
    of = facts()
    trainable = of.plan.trainable
    assert trainable is not None
    numbers = answer("weights", of).numbers
    assert numbers["parameters"] == trainable.parameters
    tensors = {t.name: t.parameters for module in trainable.modules for t in module.tensors}
    assert {name: numbers[name] for name in tensors} == tensors


@pytest.mark.parametrize("state", SOME_STATES)
def test_both_languages_answer_everything_with_the_same_numbers(state: str) -> None:
    of = facts(state)
    for english, chinese in zip(answers(of, "en"), answers(of, "zh"), strict=True):
        assert english.numbers == chinese.numbers
        assert not CHINESE.search(msgspec.json.encode(english).decode()), english.id
        assert CHINESE.search(chinese.question)
        assert CHINESE.search(chinese.brief)
        assert [type(block) for block in english.blocks] == [type(b) for b in chinese.blocks]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("width", [70, 88])
@pytest.mark.parametrize("state", SOME_STATES)
def test_no_row_is_wider_than_the_page(state: str, width: int, lang: Lang) -> None:
    for found in answers(facts(state), lang):
        for row in (
            *draw_answer(found, width, ascii_only=False),
            *draw_brief(found, width, ascii_only=False),
        ):
            assert width_of(row) <= width, text_of(row)
        for diagram in diagrams(found):
            assert all(cell_len(row) <= DIAGRAM_CELLS for row in diagram.rows)


@pytest.mark.parametrize("state", SOME_STATES)
def test_in_ascii_there_is_nothing_but_ascii_and_diagrams_keep_their_columns(state: str) -> None:
    for found in answers(facts(state), "en"):
        rows, plain = drawn(found), drawn(found, ascii_only=True)
        assert "".join(plain).isascii()
        assert "".join(plain).count("?") == "".join(rows).count("?")
        for diagram in diagrams(found):
            for row in diagram.rows:
                at = rows.index(f"  {row}")
                assert any(len(other) == len(rows[at]) for other in plain), row


@pytest.mark.parametrize("topic", ["iterations", "windows", "splits", "weights", "checkpoints"])
@pytest.mark.parametrize("lang", LANGS)
def test_labels_of_a_diagram_take_the_same_cells_in_both_languages(topic: str, lang: Lang) -> None:
    """The bars of windows and patches begin in the same column in every row."""
    found = answer(topic, facts("finished"), lang)
    for diagram in diagrams(found):
        labelled = [row for row in diagram.rows if re.match(r"(window|patch|窗口|补丁) \d", row)]
        for row in labelled:
            bar = re.search("[█▒░]", row)
            assert bar is not None
            assert cell_len(row[: bar.start()]) >= 16


def test_what_a_run_has_shown_stands_in_the_answers() -> None:
    of = facts("finished")
    assert answer("metrics", of).numbers["best_epoch"] == 2
    assert "0.3697" in answer("metrics", of).brief
    assert answer("saved", of).numbers["best_bytes"] == 15_321_560
    assert answer("heat", facts("paused_thermal")).numbers["pauses"] == 1
    running = answer("checkpoints", facts("training")).numbers
    assert running["steps_at_risk"] == 200
    assert "200 steps" in answer("checkpoints", facts("training")).brief


def test_every_way_to_stop_is_told_with_the_grace_of_the_config() -> None:
    own = "\n".join(drawn(answer("checkpoints", facts("training", "supervisor.stop_grace_s=45"))))
    assert "ends within 45 s: it saves; else it is killed" in " ".join(own.split())
    of_script = facts("foreign", "supervisor.stop_grace_s=45", problem=SCRIPT)
    script = " ".join("\n".join(drawn(answer("checkpoints", of_script))).split())
    assert "45 s after each comes the next of SIGINT, SIGTERM, SIGKILL" in script


def test_whose_limits_of_heat_are_told() -> None:
    def told(of: Facts) -> str:
        return " ".join("\n".join(drawn(answer("heat", of))).split())

    known = told(facts("training"))
    assert "95 °C the card slows itself down" in known
    assert "assumed" not in known
    assert "No card has been read yet: the limits are assumed" in told(facts())
    unknown = told(facts("partly_unknown"))
    assert "no temperature stops the run" in unknown
    assert "near the card's own end" not in unknown
    stops = told(facts("partly_unknown", "policy.thermal.emergency_c=93"))
    assert "the limits are assumed to suit it." in stops
    assert "at 93 °C it is saved and stopped" in stops


def test_whose_numbers_they_are_is_said() -> None:
    assert "configs/etth1.toml" in whose(facts(), Say("en"))
    assert "7f3a" in whose(facts("training"), Say("zh"))
    assert "script" in whose(facts("foreign", problem=SCRIPT), Say("en"))
    assert "gone.csv" in whose(facts("training", problem="gone.csv is not here"), Say("en"))


def test_sizes_that_are_not_the_runs_own_are_not_shown_as_its_own() -> None:
    found = answer("saved", facts("foreign", problem=SCRIPT)).numbers
    assert found["best_bytes_planned"] is None
    assert found["best_bytes"] == 612_000_000
    assert answer("sharing", facts("foreign", problem=SCRIPT)).numbers["needed_bytes"] is None
    imported = answer("total", facts("imported", problem=SCRIPT)).numbers
    assert imported["training_seconds"] is None
    assert "our own engine" in answer("checkpoints", facts("foreign", problem=SCRIPT)).brief


@pytest.mark.parametrize("settings", [(), ("train.eval_batch_size=1",)])
def test_the_bars_of_memory_add_up_to_what_is_said_of_it(settings: tuple[str, ...]) -> None:
    found = answer("sharing", facts("training", *settings))
    (bars,) = (block for block in found.blocks if isinstance(block, Diagram))
    units = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    sizes = [row.split()[-2:] for row in bars.rows]
    total = sum(float(number) * units[unit] for number, unit in sizes)
    assert total == pytest.approx(found.numbers["needed_bytes"], rel=0.01)


@pytest.mark.parametrize("problem", ["", SCRIPT])
@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_of_a_run_can_be_explained(state: str, problem: str) -> None:
    of = facts(state, problem=problem)
    for lang in LANGS:
        for found in answers(of, lang):
            assert found.brief
            assert "None" not in found.brief
            assert "{" not in msgspec.json.encode([found.brief, found.blocks]).decode().replace(
                '{"type"', ""
            )


def test_pieces_and_a_dropped_batch_are_told() -> None:
    of = facts("", "train.accumulate=2", "train.drop_last=true")
    assert answer("batch", of).numbers["pieces"] == 2
    assert "left out" in "\n".join(drawn(answer("iterations", of)))
    assert etth1("train.drop_last=true").train.drop_last


def who_watches(of: Facts, lang: Lang) -> str:
    return " ".join(drawn(answer("heat", of, lang), 400))


@pytest.mark.parametrize(
    ("lang", "governor", "pause"),
    [("en", "the governor slows it down", "above 85"), ("zh", "先由调速规则略微放慢", "高于 85")],
)
def test_the_governor_is_named_only_where_it_slows_the_run_down(
    lang: Lang, governor: str, pause: str
) -> None:
    assert governor in who_watches(facts("training"), lang)
    off = msgspec.structs.replace(LIMITS, governed=False)
    told = who_watches(msgspec.structs.replace(facts("training"), limits=off), lang)
    assert governor not in told
    assert pause in told


@pytest.mark.parametrize("of", [facts("without_gpu"), facts("", "gpu.probe=none")])
def test_without_a_gpu_nobody_is_said_to_watch_its_heat(of: Facts) -> None:
    for lang, nobody, pause in (
        ("en", "looks at no GPU", "paused above"),
        ("zh", "不读取", "时暂停"),
    ):
        told = who_watches(of, lang)
        assert nobody in told
        assert not re.search("does not rely|不只依赖", told)
        assert pause not in answer("heat", of, lang).brief


@pytest.mark.parametrize(
    ("cadence", "row"),
    [("each_epoch", ["4,874", "14,622"]), ("end", ["4,874"]), ("never", None)],
)
def test_batches_of_the_test_are_counted_as_often_as_it_is_made(
    cadence: str, row: list[str] | None
) -> None:
    rows = drawn(answer("total", facts("", f"train.test={cadence}", "train.eval_batch_size=4")))
    assert any(re.split(r"  +", text.strip())[1:] == ["4,874", "14,622"] for text in rows)
    of_test = [re.split(r"  +", text.strip())[1:] for text in rows if "of the test" in text]
    assert of_test == ([] if row is None else [row])


def test_a_share_that_is_not_nothing_is_not_called_nothing() -> None:
    rows = drawn(answer("weights", facts("training")))
    assert any("patch embedding" in row and row.endswith("< 0.1 %") for row in rows)


def test_the_temperature_that_stops_the_run_stands_among_the_others() -> None:
    rows = [text.strip() for text in drawn(answer("heat", facts("training")))]
    assert any(row.startswith("97 °C  the run is saved and stopped") for row in rows)
    of = msgspec.structs.replace(
        facts("training"), limits=msgspec.structs.replace(LIMITS, emergency_c=None)
    )
    assert not any("the run is saved and stopped" in text for text in drawn(answer("heat", of)))


# --- what a run's own disk, card and script say -------------------------------------------------


def told(topic: str, of: Facts, lang: Lang = "en") -> str:
    found = answer(topic, of, lang)
    return " ".join([found.brief, *drawn(found, 400)])


def test_the_bundle_on_disk_is_told_with_its_size_and_which_files_forecast() -> None:
    ended = msgspec.structs.replace(facts("finished"), bundle_bytes=7 << 20)
    assert "7.00 MiB" in told("saved", ended)
    assert f"timellm-ops predict {ended.name} --input FILE" in told("saved", ended)
    assert f"timellm-ops predict {ended.name} --input 文件" in told("saved", ended, "zh")
    assert "7.00 MiB" not in told("saved", facts("finished"))
    assert "predict ./bundle" not in told("saved", facts("training"))


def test_a_card_beside_an_engine_on_the_processor_is_not_what_it_computes_on() -> None:
    of = facts("training")
    assert of.state.sample is not None
    card = of.state.sample.name or ""
    assert card in answer("heads", of).brief
    on_cpu = msgspec.structs.replace(of.state, device="cpu")
    of = msgspec.structs.replace(of, state=on_cpu, plan=plan_of(of.config, "cpu"))
    assert "(cpu)" in answer("heads", of).brief
    assert "of the card's memory are in use" in told("sharing", of)
    assert "显卡的显存" in told("sharing", of, "zh")


def test_of_a_script_with_epochs_of_unknown_length_no_iterations_of_all_are_told() -> None:
    of = facts("foreign", problem=SCRIPT)
    unknown = msgspec.structs.replace(of.state, steps_per_epoch=None, epoch=3, iteration=300)
    of = msgspec.structs.replace(of, state=unknown)
    assert "in epoch 3, 300 iterations into it" in told("total", of)
    assert "目前在第 3 轮" in told("total", of, "zh")
    assert "of ?" not in told("total", of)


def test_a_run_on_processors_is_not_told_to_leave_a_gpu_alone() -> None:
    on_gpu = facts("training")
    on_cpu = msgspec.structs.replace(
        on_gpu, plan=msgspec.structs.replace(on_gpu.plan, device="cpu")
    )
    assert not re.search("GPU alone|drawn by the GPU|gpu.share", told("sharing", on_cpu))
    assert "little of the processors" in told("sharing", on_cpu)
    assert "不大占用处理器" in told("sharing", on_cpu, "zh")
    assert "leaves the GPU alone" in told("sharing", on_gpu)
    assert "leaves the GPU alone" in told("sharing", facts("foreign", problem=SCRIPT))


@pytest.mark.parametrize(
    ("settings", "needed", "said"),
    [
        ((), 0, "needs neither"),
        (("data.dataset=custom", "data.path=x.csv"), 1, "needs one of them"),
        (("backbone.source=org/name",), 1, "needs one of them"),
    ],
)
def test_only_keys_that_must_be_set_are_counted(
    settings: tuple[str, ...], needed: int, said: str
) -> None:
    of, config = facts("training"), etth1(*settings)
    data = msgspec.structs.replace(of.plan.data, dataset=config.data.dataset)
    plan = msgspec.structs.replace(of.plan, data=data)
    found = answer("paths", msgspec.structs.replace(of, config=config, plan=plan))
    assert found.numbers["keys_needed"] == needed
    assert said in found.brief


def test_the_files_of_a_script_are_its_own() -> None:
    of = facts("foreign", problem=SCRIPT)
    assert "A script reads the files that it was written to read" in told("paths", of)
    assert "its own affair; its best weights take 584 MiB" in answer("saved", of).brief
    assert " -" not in answer("saved", facts("training", problem=SCRIPT)).brief
