"""What can be done on the policies screen alone."""

from typing import Literal, get_args

from timellm_dashboard.actions.action import Action, Said

PoliciesActionId = Literal["policies_change"]

POLICIES_ACTIONS: tuple[Action, ...] = (
    Action(
        id="policies_change",
        keys=("e", "enter"),
        shown_keys="e",
        label=Said("change", "修改"),
        help=Said(
            "change a key of the chosen rule for the rest of the run; the journal keeps it",
            "在本次运行余下的时间里修改所选规则的设置项；会记入运行记录",
        ),
        also=Said("Enter does the same", "Enter 键相同"),
        types=True,
        changes_run=True,
        needs_supervisor=True,
        on="policies",
    ),
)

assert {found.id for found in POLICIES_ACTIONS} == set(get_args(PoliciesActionId))  # noqa: S101
