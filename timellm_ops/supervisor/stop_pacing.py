"""Pacing by stops: which share of the time a script's processes stand, decided turn by turn. Pure.

An account is kept of how long they should have stood by now. They are stopped when `REST_S` of it
has come together and let go when it is used up, so the share is right however uneven the turns
are. At a duty of 0.5 that is a stop of a second every two; at 0.9 one of 0.56 s every 5.6 s: short
beside the half minute in which a card heats up, and long beside a step.
"""

from msgspec import Struct

REST_S = 0.5
"""Seconds of owed standing that begin a stop."""
LONGEST_TURN_S = 5.0
"""More time than this between two turns is not made up for: the machine slept."""


class Account(Struct, frozen=True, kw_only=True):
    """Between two turns."""

    owed_s: float = 0.0
    """Seconds that the processes should have stood, but have not."""
    resting: bool = False
    at_t: float | None = None
    """Monotonic second of the turn before."""


def next_account(account: Account, duty: float, now_t: float) -> Account:
    """The account at `now_t`, and with `resting` what the processes are to do from now on.

    `duty` is the share of the time, above 0, in which they are to compute; 1 lets them go at once.
    """
    if duty >= 1.0:
        return Account(at_t=now_t)
    passed_s = 0.0 if account.at_t is None else now_t - account.at_t
    passed_s = min(LONGEST_TURN_S, max(0.0, passed_s))
    stood_s = passed_s if account.resting else 0.0
    owed_s = account.owed_s + (1.0 - duty) * passed_s - stood_s
    resting = owed_s > 0.0 if account.resting else owed_s >= REST_S
    return Account(owed_s=owed_s, resting=resting, at_t=now_t)
