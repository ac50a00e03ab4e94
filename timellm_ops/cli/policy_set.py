"""`policy set`: other thresholds for a run that is under way."""

from typing import Annotated

from cyclopts import Parameter

from timellm_ops.cli.control import ask
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.runs import state_of
from timellm_ops.configfile import with_policy_settings
from timellm_ops.contract.commands import SetPolicy
from timellm_ops.contract.policy_keys import fault_of
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
        key = text.partition("=")[0].strip()
        fault = fault_of(key)
        if fault is not None:
            raise UsageError(f"KEY=VALUE: found {key}, {fault[0]}; expected {fault[1]}")
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
