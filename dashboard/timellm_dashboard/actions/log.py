"""What can be done on the log screen alone."""

from timellm_dashboard.actions.action import Action

LOG_ACTIONS: tuple[Action, ...] = ()
