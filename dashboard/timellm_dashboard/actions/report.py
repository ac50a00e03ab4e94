"""What can be done on the report screen alone."""

from timellm_dashboard.actions.action import Action

REPORT_ACTIONS: tuple[Action, ...] = ()
