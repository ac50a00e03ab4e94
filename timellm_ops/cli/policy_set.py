"""`policy set`: other thresholds for a run that is under way."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from timellm_ops.cli.control import ask
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.runs import state_of
from timellm_ops.configfile import with_policy_settings
from timellm_ops.contract.commands import SetPolicy
from timellm_ops.contract.suggestion import close_to, did_you_mean, meant
from timellm_ops.contract.validation import all_keys
from timellm_ops.store import RunStore, load_config, runs_dir

_SUCH_AS = (
    "a setting such as policy.thermal.pause_above_c=83 (timellm-ops policy show lists the rules)"
)


def set_policy(
    *arguments: Annotated[
        str,
        Parameter(help="The run (without: latest), then policy.KEY=VALUE one or more times."),
    ],
) -> int:
    """Change keys of [policy] under a run: checked as in a config, journaled, in force at once.

    Such as: timellm-ops policy set latest policy.thermal.pause_above_c=83
    """
    named = arguments[:1] if arguments and "=" not in arguments[0] else ()
    settings = arguments[len(named) :]
    for text in arguments:
        if text.startswith("policy.") and "=" not in text:
            raise UsageError(f"{text}: found no value; expected {text}=VALUE, without blanks")
    if not settings:
        raise UsageError(f"KEY=VALUE: found nothing; expected {_SUCH_AS}")
    for text in settings:
        if "=" not in text:
            raise UsageError(f'KEY=VALUE: found "{text}"; expected {_SUCH_AS}')
        _check_key(text.partition("=")[0].strip())
    layout = RunStore(runs_dir()).resolve(named[0] if named else "latest")
    state = state_of(layout)
    if state.ended or state.engine == "imported":
        raise UsageError(
            f"{layout.run_id} is not running, so its rules cannot be changed; in the next run: "
            f"timellm-ops run CONFIG --set {settings[0]}"
        )
    config = load_config(layout)
    with_policy_settings(config.policy, config.gpu, (*state.policy_settings, *settings))
    return ask(layout, SetPolicy(settings=settings))


def _check_key(key: str) -> None:
    """Raises `UsageError` for one that no rule has."""
    known = [known for known in all_keys() if known.startswith("policy.")]
    if key in known:
        return
    found = f"{key}, which is no key of a rule"
    of_rule = [name for name in known if name.startswith(f"{key.rpartition('.')[0]}.")]
    rule_first = "." in key and not key.startswith("policy.")
    whole = close_to(f"policy.{key}", known) if rule_first else None
    same_end = [name for name in known if name.endswith(f".{key.rpartition('.')[2]}")]
    if key in all_keys():
        found, expected = f"{key}, which is fixed while the run lasts", f"a key such as {known[1]}"
    elif any(name.startswith(f"{key}.") for name in known):
        found, expected = f"{key}, which is a whole rule", f"one of its keys: {_ends(known, key)}"
    elif whole is not None:
        expected = did_you_mean(whole)
    elif len(same_end) == 1:
        expected = did_you_mean(same_end[0])
    elif key.count(".") > 1 and of_rule:
        expected = meant(key, of_rule)
    else:
        expected = f"policy.RULE.KEY, of one of the rules {', '.join(_rules(known))}"
    raise UsageError(f"KEY=VALUE: found {found}; expected {expected}")


def _ends(known: Sequence[str], rule: str) -> str:
    return ", ".join(n.removeprefix(f"{rule}.") for n in known if n.startswith(f"{rule}."))


def _rules(known: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.split(".")[1] for name in known))
