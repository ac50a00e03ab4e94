"""`explain`: the seventeen questions, answered with a run's own numbers."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from msgspec import Struct

from timellm_dashboard.answers.answer import Answer, Say
from timellm_dashboard.answers.draw import draw_answer, draw_brief
from timellm_dashboard.answers.facts import Facts, whose
from timellm_dashboard.answers.questions import QUESTIONS, answer_to, answers, find_question
from timellm_dashboard.lines import text_of, wrap
from timellm_dashboard.viewmodel.progress import mean_step_s
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.text import Lang as ShownLang
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.facts import FactsOfRun, example_facts, facts_of_config
from timellm_ops.cli.options import Ascii, Json, Lang, has_unicode, language
from timellm_ops.contract.validation import one_line
from timellm_ops.journal import read_records
from timellm_ops.store import RunNotFound, RunStore, runs_dir

SCHEMA = "timellm-ops.explain/1"
WORD_SCHEMA = "timellm-ops.explain-word/1"
_WIDTH = 88
_FEWEST_DIGITS = 4
"""Of a number that is a run's beginning, which is a year; one of fewer is a topic's."""


class Explained(Struct, frozen=True, kw_only=True):
    """The whole of `explain --json`."""

    about: str
    """The run's id, the config's path, or the example's data set."""
    kind: str
    whose: str
    answers: tuple[Answer, ...]
    schema: str = SCHEMA


def explain(
    topic: Annotated[
        str, Parameter(help="A topic or its number; without one, all seventeen in short.")
    ] = "",
    about: Annotated[
        str, Parameter(help="A run (an id, a prefix, latest) or a config file; by default latest.")
    ] = "",
    *,
    lang: Lang = None,
    json: Json = False,
    ascii_only: Ascii = False,
) -> int:
    """Answer a question about training with the numbers, shapes and sizes of a run or a config.

    Without a topic: all seventeen questions, each with a short answer. A word of the dashboard,
    such as throttle, is explained too.
    """
    plain = ascii_only or not has_unicode()
    shown: ShownLang = "en" if plain else lang or language()
    question = find_question(topic)
    if question is None and topic and not about and _names_something(topic):
        topic, about = "", topic
    if question is None and topic:
        return _explain_word(topic, shown, ascii_only=plain, json=json)
    facts, say = _facts(about), Say(shown)
    if json:
        found = (
            tuple(answers(facts, shown))
            if question is None
            else (answer_to(question, facts, shown),)
        )
        document = Explained(
            about=facts.name, kind=facts.kind, whose=whose(facts, say), answers=found
        )
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        return 0
    rows = [_ascii(row, plain) for row in wrap(whose(facts, say), _WIDTH)]
    rows.append("")
    if question is not None:
        drawn = draw_answer(answer_to(question, facts, shown), _WIDTH, ascii_only=plain)
        rows += [text_of(row) for row in drawn]
    else:
        for answer in answers(facts, shown):
            rows += [text_of(row) for row in draw_brief(answer, _WIDTH, ascii_only=plain)]
        more = say(
            "The whole of one: timellm-ops explain TOPIC, or its number.",
            "查看完整答案：timellm-ops explain 主题或编号。",
        )
        rows += ["", _ascii(more, plain)]
    _write(rows)
    return 0


def _facts(about: str) -> Facts:
    """Of a run, a config, or, where nothing is named and nothing has run, of the defaults."""
    store = RunStore(runs_dir())
    if _is_config(about):
        return facts_of_config(Path(about))
    try:
        layout = store.resolve(about or "latest")
    except RunNotFound:
        if not about and not store.runs():
            return example_facts()
        raise
    recorder = Recorder()
    recorder.take(read_records(layout.journal))
    return FactsOfRun(layout)(recorder.state, mean_step_s(recorder.state, recorder.history))


def _is_config(text: str) -> bool:
    return text.endswith(".toml") or Path(text).is_file()


def _names_something(text: str) -> bool:
    """Whether a lone argument is a run or a config rather than a topic."""
    if text == "latest" or _is_config(text):
        return True
    if text.isdecimal() and len(text) < _FEWEST_DIGITS:
        return False
    return any(layout.run_id.startswith(text) for layout in RunStore(runs_dir()).runs())


def _explain_word(topic: str, lang: ShownLang, *, ascii_only: bool, json: bool) -> int:
    """A word of the dashboard that is none of the seventeen."""
    from timellm_dashboard.explain.explain import EXPLANATIONS

    found = next((e for e in EXPLANATIONS if e.id == topic), None)
    if found is None:
        topics = ", ".join(question.id for question in QUESTIONS)
        words = ", ".join(e.id for e in EXPLANATIONS if find_question(e.id) is None)
        raise UsageError(
            f'explain: found "{one_line(topic)}"; expected one of {topics}; or its number, 1 to'
            f" {len(QUESTIONS)}; or a word of the"
            f" dashboard: {words}"
        )
    title, body = found.title.in_(lang), keyed(found.body.in_(lang))
    if json:
        document = {"id": topic, "title": title, "text": body, "schema": WORD_SCHEMA}
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        return 0
    _write(
        [_ascii(title, ascii_only), *(f"  {row}" for row in wrap(_ascii(body, ascii_only), _WIDTH))]
    )
    return 0


def _ascii(text: str, plain: bool) -> str:
    return to_ascii(text) if plain else text


def _write(rows: list[str]) -> None:
    sys.stdout.write("\n".join(row.rstrip() for row in rows) + "\n")
