"""`policy`: the rules of a run, looked at and changed while it lasts.

Each command below it is a module of its own, loaded when it is given.
"""

from cyclopts import App

from timellm_ops.cli.help_pages import help_page

_COMMANDS = {
    "show": ("policy_show:show", "How each rule of a run stands."),
    "set": ("policy_set:set_policy", "Change thresholds under a run, from now on."),
    "simulate": (
        "simulating:simulate",
        "Rehearse a night: no rule, pausing, a steady pace, side by side.",
    ),
}

app = App(
    name="policy",
    help=help_page(
        "policy", "The rules that may act on a run: how they stand, other thresholds, a rehearsal."
    ),
    help_format="plaintext",
    result_action="return_value",
)
for _name, (_place, _about) in _COMMANDS.items():
    app.command(f"timellm_ops.cli.{_place}", name=_name, help=help_page(f"policy {_name}", _about))
