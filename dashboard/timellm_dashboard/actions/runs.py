"""What can be done on the runs screen alone."""

from timellm_dashboard.actions.action import Action

RUNS_ACTIONS: tuple[Action, ...] = ()
