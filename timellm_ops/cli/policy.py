"""`policy`: the rules of a run, looked at and changed while it lasts.

Each command below it is a module of its own, loaded when it is given.
"""

from cyclopts import App

app = App(
    name="policy",
    help="The rules that may act on a run: how they stand, other thresholds, a rehearsed night.",
    help_format="plaintext",
    result_action="return_value",
)
app.command("timellm_ops.cli.policy_show:show", name="show", help="How each rule of a run stands.")
app.command(
    "timellm_ops.cli.policy_set:set_policy",
    name="set",
    help="Change thresholds under a run, from now on.",
)
app.command(
    "timellm_ops.cli.simulating:simulate",
    name="simulate",
    help="Rehearse a night: no rule, pausing, the governor, side by side.",
)
