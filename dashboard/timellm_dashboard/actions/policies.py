"""What can be done on the policies screen alone."""

from timellm_dashboard.actions.action import Action

POLICIES_ACTIONS: tuple[Action, ...] = ()
