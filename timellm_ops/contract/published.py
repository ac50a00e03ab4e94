"""The shapes of the data sets that forecasting papers share, as their usual files have them."""

from typing import NamedTuple

from timellm_ops.contract.frequency import Frequency


class PublishedShape(NamedTuple):
    """What the usual file holds. The columns are those that are forecast, without the dates."""

    file: str
    rows: int
    columns: int
    frequency: Frequency


PUBLISHED_SHAPES = {
    "ETTh1": PublishedShape("ETTh1.csv", 17_420, 7, Frequency(1, "h")),
    "ETTh2": PublishedShape("ETTh2.csv", 17_420, 7, Frequency(1, "h")),
    "ETTm1": PublishedShape("ETTm1.csv", 69_680, 7, Frequency(15, "min")),
    "ETTm2": PublishedShape("ETTm2.csv", 69_680, 7, Frequency(15, "min")),
    "Weather": PublishedShape("weather.csv", 52_696, 21, Frequency(10, "min")),
    "ECL": PublishedShape("electricity.csv", 26_304, 321, Frequency(1, "h")),
    "Traffic": PublishedShape("traffic.csv", 17_544, 862, Frequency(1, "h")),
    "Exchange": PublishedShape("exchange_rate.csv", 7_588, 8, Frequency(1, "d")),
    "ILI": PublishedShape("national_illness.csv", 966, 7, Frequency(1, "w")),
}
