"""Each rule of the run: its value, its threshold, what it would do next; and changing it."""

from typing import ClassVar, assert_never

from msgspec import convert
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from timellm_dashboard.actions import ScreenId, bindings
from timellm_dashboard.actions.policies import PoliciesActionId
from timellm_dashboard.panels.rules import words_of
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.viewmodel.rules import setting_of
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Past
from timellm_dashboard.widgets.prompt import Prompt
from timellm_dashboard.widgets.rules import HoldsPanel, RulePanel, RulesPanel, RuleStoryPanel
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.phrases import said
from timellm_ops.contract.commands import Reply, SetPolicy

_MOST_HOLDS, _MOST_KEYS = 6, 3
"""Rows of what holds the run, and of a rule's keys on a low screen."""
_FEWEST_RULES = 4


class PoliciesScreen(RunScreen):
    """Why the run stands still, how each rule stands, and one rule in full."""

    screen_id: ClassVar[ScreenId] = "policies"
    AUTO_FOCUS = "RulesPanel"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("policies")]

    def __init__(self, past: Past) -> None:
        super().__init__()
        self._view: View | None = None
        self._holds, self._rules = HoldsPanel(id="holds"), RulesPanel(id="rules")
        self._rule = RulePanel(self._rules, id="rule")
        self._story = RuleStoryPanel(past, self._rules, id="story")
        self._both = Horizontal(self._rule, self._story, id="rule-both")
        self._prompt = Prompt(id="rule-prompt")
        self._settings: tuple[str, ...] = ()
        self._suggested = 0

    def body(self) -> ComposeResult:
        """From why to what could be done about it."""
        yield self._holds
        yield self._rules
        yield self._both
        yield self._prompt

    def show_body(self, view: View) -> None:
        """Show `view` from now on."""
        self._view = view
        self._share_out(view)
        for panel in (self._holds, self._rules, self._rule, self._story):
            panel.show(view)

    def on_resize(self) -> None:
        """Share out the rows that there are now."""
        self.call_after_refresh(self._share_out_again)

    def _share_out_again(self) -> None:
        if self._view is not None:
            self._share_out(self._view)

    def _share_out(self, view: View) -> None:
        """Give each panel the rows that it needs; where there are too few, the rules scroll."""
        self._both.display = bool(view.rules.rows)
        body = self._rules.parent
        if not isinstance(body, Widget) or not self._rules.content_size.width:
            return  # not laid out yet, or not any more
        holds = self._holds.gutter.height + min(_MOST_HOLDS, self._holds.wanted(view))
        left = body.content_size.height - holds
        if view.rules.rows:
            left -= self._rule.gutter.height + min(_MOST_KEYS, self._rule.wanted(view))
            left = min(left, self._rules.gutter.height + self._rules.wanted(view))
        self._holds.styles.height = holds
        self._rules.styles.height = max(_FEWEST_RULES, left)

    def act(self, action_id: str) -> None:
        """Do what the registry has for this screen alone."""
        asked: PoliciesActionId = convert(action_id, PoliciesActionId)
        match asked:
            case "policies_change":
                self._ask()
            case _:
                assert_never(asked)

    def _ask(self) -> None:
        """Ask for a new value of the chosen rule's most important key."""
        view = self._view
        if view is None or not view.rules.rows:
            return
        self._rules.keep()
        words = words_of(view)
        self._settings, self._suggested = view.rules.rows[self._rules.chosen].settings, 0
        text = self._settings[0] if self._settings else ""
        self._prompt.ask("setting", words.ask_setting, hint=words.ask_hint, text=text)

    def on_prompt_turned(self, message: Prompt.Turned) -> None:
        """Another key of the same rule."""
        if self._settings:
            self._suggested = (self._suggested + message.by) % len(self._settings)
            self._prompt.suggest(self._settings[self._suggested])

    def on_prompt_answered(self, message: Prompt.Answered) -> None:
        """Ask the supervisor; what it refuses stays, to be mended."""
        if message.text.strip():
            setting = setting_of(message.text, self._settings)
            request = SetPolicy(who="dashboard", settings=(setting,))
            self.post_message(self.Asks(request, self._answered))
        else:
            self._close()

    def on_prompt_given_up(self) -> None:
        """Nothing is changed."""
        self._close()

    def on_rules_panel_chosen(self) -> None:
        """Show the chosen rule in full. A click chooses while something is asked of another one."""
        self._close()
        self._rule.look_again()
        self._story.look_again()
        self._share_out_again()

    def _answered(self, reply: Reply) -> None:
        view = self._view
        if reply.ok:
            self._close()
        elif view is not None:
            said_ = said(reply.message, view.lang)
            told = to_ascii(said_) if view.ascii_only else said_
            if self._prompt.asking:
                self._prompt.complain(told)
            else:
                self.notify(told, severity="error", markup=False)

    def _close(self) -> None:
        if self._prompt.asking:
            self._prompt.close()
            self.set_focus(self._rules)
