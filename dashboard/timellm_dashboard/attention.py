"""How often a dashboard looks at its run. Pure.

Most of what a dashboard costs is drawing, and a run that trains on the processor pays for it: there
it is drawn once a second for as long as somebody may be at it, and then more rarely. On a GPU
nothing is taken from anybody.
"""

ATTENDED_S = 120.0
"""So long after a key, the mouse, or its window coming to the front, somebody may be at it."""
_LEFT_ALONE_TIMES = 3.0


def refresh_every_s(usual_s: float, untouched_s: float, device: str) -> float:
    """Seconds between two looks, usually `usual_s`, for a run that trains on `device`."""
    alone = device == "cpu" and untouched_s > ATTENDED_S
    return _LEFT_ALONE_TIMES * usual_s if alone else usual_s
