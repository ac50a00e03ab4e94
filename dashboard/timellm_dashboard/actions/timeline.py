"""What can be done on the timeline screen alone."""

from timellm_dashboard.actions.action import Action

TIMELINE_ACTIONS: tuple[Action, ...] = ()
