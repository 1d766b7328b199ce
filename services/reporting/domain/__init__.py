"""What is counted, under which keys, and what may be told outside the county. Pure: no I/O."""

from services.reporting.domain.counting import (
    COUNTED,
    COUNTRY,
    amounts,
    contributions,
    counter_key,
    counter_keys,
    local_day,
    recount,
)
from services.reporting.domain.disclosure import disclose
from services.reporting.domain.indicators import BY_ID, INDICATORS, Indicator, figures, flatten

__all__ = [
    "BY_ID",
    "COUNTED",
    "COUNTRY",
    "INDICATORS",
    "Indicator",
    "amounts",
    "contributions",
    "counter_key",
    "counter_keys",
    "disclose",
    "figures",
    "flatten",
    "local_day",
    "recount",
]
