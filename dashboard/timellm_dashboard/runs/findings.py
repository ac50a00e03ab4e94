"""What follows from a comparison: sentences that are true of these runs and claim no more."""

from collections.abc import Sequence

from timellm_dashboard.runs.compared import LETTERS, ComparedResult, Scope
from timellm_dashboard.runs.results import lowest, share_below
from timellm_dashboard.runs.runlist import test_errors
from timellm_dashboard.words.losses import LOSS_NAMES
from timellm_ops.contract.counting import Count


def findings(scope: Scope, results: Sequence[ComparedResult]) -> list[str]:
    """The sentences, the most important first."""
    say, runs = scope.words, scope.runs
    found: list[str] = []
    if scope.keys_of_task:
        found.append(say.find_other_task.format(keys=", ".join(scope.keys_of_task)))
    else:
        by_id = {result.id: result for result in results}
        for name in ("test_mse", "vali_mse"):
            found += _about_error(by_id[name], scope)
        found += _about_causes(by_id["test_mse"], by_id["vali_mse"], scope)
    unfinished = [i for i, run in enumerate(runs) if run.state.outcome != "finished"]
    if unfinished:
        found.append(say.find_not_finished.format(runs=scope.letters(unfinished)))
    by_epoch = [
        i for i, run in enumerate(runs)
        if run.state.final_mse is None and test_errors(run.state)[0] is not None
    ]  # fmt: skip
    if by_epoch and len(by_epoch) < len(runs) and not scope.keys_of_task:
        found.append(say.find_tested_differently.format(runs=scope.letters(by_epoch)))
    losses = list(dict.fromkeys(LOSS_NAMES[run.state.loss_name] for run in runs))
    if len(losses) > 1:
        found.append(say.find_other_loss.format(losses=", ".join(losses)))
    return found


def _about_error(result: ComparedResult, scope: Scope) -> list[str]:
    say, figures = scope.words, result.figures
    missing = [i for i, figure_ in enumerate(figures) if figure_.value is None]
    if missing:
        runs = scope.letters(missing)
        return [say.find_none_yet.format(runs=runs, what=result.label)]
    places = lowest(figures)
    if places is None:
        return []
    first, second = places
    if len({figure_.text for figure_ in figures}) == 1:
        everyone = scope.letters(range(len(figures)))
        text = say.find_equal.format(runs=everyone, what=result.label, value=figures[first].text)
        return [text]
    if not result.better:
        return []
    return [
        say.find_lowest.format(
            run=result.better,
            what=result.label,
            value=figures[first].text,
            share=share_below(figures, first, second),
            other=LETTERS[second],
            other_value=figures[second].text,
        )
    ]


def _about_causes(test: ComparedResult, vali: ComparedResult, scope: Scope) -> list[str]:
    """What the difference may come from, as far as that can be told; and what would tell it."""
    say, keys = scope.words, scope.keys_of_training
    if not scope.configs_known:
        return [say.find_one_seed]
    if keys == ("run.seed",):
        result = test if lowest(test.figures) is not None else vali
        values = [f.value for f in result.figures if f.value is not None]
        if len(values) == len(result.figures) and max(values) > 0:
            share = f"{(max(values) - min(values)) / max(values) * 100:.1f} %"
            return [
                say.find_seed_alone.format(count=Count(len(values)), what=result.label, share=share)
            ]
        return []
    if not keys:
        return [say.find_no_key]
    found = (
        say.find_one_key.format(keys=keys[0])
        if len(keys) == 1
        else say.find_many_keys.format(count=Count(len(keys)))
    )
    return [found, say.find_one_seed]
