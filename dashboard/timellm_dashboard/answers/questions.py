"""The seventeen questions, in the order in which people ask them."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from timellm_dashboard.answers.answer import Answer, GroupName, Say, Told
from timellm_dashboard.answers.data import batch, iterations, paths, splits, windows
from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.answers.hardware import heads, heat, sharing
from timellm_dashboard.answers.model import embedding, inference, weights
from timellm_dashboard.answers.results import checkpoints, metrics, saved
from timellm_dashboard.answers.training import loss, output, total
from timellm_dashboard.words.keys import USUAL, Keys
from timellm_dashboard.words.text import Lang


class Question(Struct, frozen=True, kw_only=True):
    """One of the seventeen."""

    id: str
    group: GroupName
    en: str
    zh: str
    tell: Callable[[Facts, Say], Told]


QUESTIONS: tuple[Question, ...] = (
    Question(
        id="paths",
        group="data",
        en="Which paths must be right before it starts?",
        zh="启动之前，哪些路径必须正确？",
        tell=paths,
    ),
    Question(
        id="sharing",
        group="hardware",
        en="What else may use the GPU meanwhile?",
        zh="训练时，还有什么可以使用 GPU？",
        tell=sharing,
    ),
    Question(
        id="saved",
        group="results",
        en="What is kept of a training, and how large is it?",
        zh="训练会留下什么？有多大？",
        tell=saved,
    ),
    Question(
        id="iterations",
        group="data",
        en="Why has an epoch so many iterations?",
        zh="一轮为什么有这么多次迭代？",
        tell=iterations,
    ),
    Question(
        id="windows",
        group="data",
        en="How far do windows move, how far do patches, and what overlaps?",
        zh="窗口每次移动多少？patch 每次移动多少？重叠在哪里？",
        tell=windows,
    ),
    Question(
        id="batch",
        group="data",
        en="Does a batch hold windows or patches?",
        zh="一个批次里是窗口还是 patch？",
        tell=batch,
    ),
    Question(
        id="embedding",
        group="model",
        en="How do the numbers of a patch become its embedding?",
        zh="patch 里的数值怎样变成嵌入向量？",
        tell=embedding,
    ),
    Question(
        id="weights",
        group="model",
        en="Which settings shape which weights?",
        zh="哪些设置决定哪些权重的形状？",
        tell=weights,
    ),
    Question(
        id="heads",
        group="hardware",
        en="Do several attention heads need several GPUs?",
        zh="多个注意力头需要多块显卡吗？",
        tell=heads,
    ),
    Question(
        id="output",
        group="training",
        en="What do iters, loss, speed and left time in the output mean?",
        zh="输出里的 iters、loss、speed、left time 是什么意思？",
        tell=output,
    ),
    Question(
        id="loss",
        group="training",
        en="What is the loss, has it a unit, and may it be above 1?",
        zh="损失是什么？有单位吗？可以大于 1 吗？",
        tell=loss,
    ),
    Question(
        id="total",
        group="training",
        en="How many iterations are there exactly, and how long do they take?",
        zh="迭代次数准确是多少？需要多久？",
        tell=total,
    ),
    Question(
        id="heat",
        group="hardware",
        en="Do many hours at this temperature harm the machine?",
        zh="长时间处于这个温度会损坏机器吗？",
        tell=heat,
    ),
    Question(
        id="checkpoints",
        group="results",
        en="When is a checkpoint saved, and what does Ctrl+C cost?",
        zh="检查点何时保存？按 Ctrl+C 会损失什么？",
        tell=checkpoints,
    ),
    Question(
        id="splits",
        group="data",
        en="How is the series split, and what is each part for?",
        zh="数据怎样划分？每一部分有什么用？",
        tell=splits,
    ),
    Question(
        id="metrics",
        group="results",
        en="What do MSE and MAE say, and which one decides?",
        zh="MSE 和 MAE 各说明什么？由哪个决定？",
        tell=metrics,
    ),
    Question(
        id="inference",
        group="model",
        en="Does the same model give the same forecast twice, and does testing leak?",
        zh="同一模型两次预测结果相同吗？测试会造成数据泄露吗？",
        tell=inference,
    ),
)
"""Their place in this order is their number, from 1."""


def find_question(text: str) -> Question | None:
    """The question of that id or number."""
    for number, question in enumerate(QUESTIONS, 1):
        if text in (question.id, str(number)):
            return question
    return None


def answer_to(question: Question, facts: Facts, lang: Lang, keys: Keys = USUAL) -> Answer:
    """The whole answer. `keys`: those that it names."""
    say = Say(lang, keys)
    told = question.tell(facts, say)
    return Answer(
        id=question.id,
        number=QUESTIONS.index(question) + 1,
        group=question.group,
        question=say(question.en, question.zh),
        brief=told.brief,
        blocks=told.blocks,
        numbers=told.numbers,
    )


def answers(facts: Facts, lang: Lang, keys: Keys = USUAL) -> Iterator[Answer]:
    """All seventeen, in their order."""
    for question in QUESTIONS:
        yield answer_to(question, facts, lang, keys)
