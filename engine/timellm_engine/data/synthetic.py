"""A series like ETT that needs no file: hourly, with daily and weekly cycles, a trend and noise.

Meant for the quickstart and for tests. Random numbers are exact on every machine, and readings
are rounded as a sensor's are, so that the last bit of a platform's sine does not show.
"""

import math

import numpy as np

from timellm_engine.draws import normal_draws

_DAY, _WEEK = 24, 24 * 7
_PERSISTENCE = 0.8
"""Share of the noise that is still there an hour later."""
_DECIMALS = 3
TARGET = "OT"
FIRST = np.datetime64("2020-01-01T00:00:00", "ns")
"""The timestamp of the first row; the others follow hour by hour."""


def synthetic_series(
    rows: int, columns: int, seed: int
) -> tuple[list[str], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Names and readings, `[rows, columns]`. The last column is the target, `OT`."""
    names = [f"load{number}" for number in range(1, columns)] + [TARGET]
    readings = [_column(f"{seed}:{number}", rows) for number in range(columns)]
    return names, np.array(readings, dtype=np.float64).T.round(_DECIMALS)


def _column(key: str, rows: int) -> list[float]:
    shape = normal_draws(f"synthetic:{key}:shape", 6, 1.0).tolist()
    shocks = normal_draws(f"synthetic:{key}:noise", rows, 1.0).tolist()
    level, slope = 10.0 + 3.0 * shape[0], 2.0 * shape[1] / max(rows, 1)
    daily, weekly = 4.0 + 0.5 * shape[2], 1.5 + 0.3 * shape[3]
    day_shift, week_shift = _DAY * shape[4], _WEEK * shape[5]
    noise, readings = 0.0, []
    for hour, shock in enumerate(shocks):
        noise = _PERSISTENCE * noise + 0.6 * shock
        readings.append(
            level
            + slope * hour
            + daily * math.sin(2 * math.pi * (hour + day_shift) / _DAY)
            + weekly * math.sin(2 * math.pi * (hour + week_shift) / _WEEK)
            + noise
        )
    return readings
