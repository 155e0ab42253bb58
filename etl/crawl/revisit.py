"""When a page is visited again: as often as it was seen to change.

Changes are taken for a Poisson process. With n intervals observed, X of them ending in a change,
and a mean interval of I days, its rate is -ln((n - X + 0.5) / (n + 0.5)) / I: the estimator of
Cho and Garcia-Molina, "Estimating Frequency of Change" (ACM TOIT 3(3), 2003), which is nearly
unbiased although a visit cannot tell one change from several. A page is due when the chance of
news is one half; the interval at most doubles from visit to visit, because few visits prove little.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from etl.crawl.config import CrawlConfig

if TYPE_CHECKING:
    from pyspark.sql import Column

_CHANCE_OF_NEWS = 0.5
_FORGOTTEN_AFTER = 7  # days after which a page that is gone is asked for again


def snapshot_date(snapshot: str) -> date | None:
    """The day of a snapshot that is named by one; None for any other name: then all is due."""
    try:
        return date.fromisoformat(snapshot[:10])
    except ValueError:
        return None


def priority(visits: Column, changes: Column) -> Column:
    """The chance that a visit brings news: 1 for a page never seen, else Laplace's estimate."""
    from pyspark.sql import functions as F

    return F.when(visits == 0, 1.0).otherwise((changes + 1) / (visits + 2))


def next_visit(
    snapshot: str,
    config: CrawlConfig,
    *,
    state: Column,
    visits: Column,
    changes: Column,
    failures: Column,
    first_seen: Column,
) -> Column:
    """The date (YYYY-MM-DD) from which a page visited in `snapshot` is due again, as a string."""
    from pyspark.sql import functions as F

    today = snapshot_date(snapshot)
    if today is None:
        return F.lit(None).cast("string")
    now = F.lit(today)
    intervals = F.greatest(visits - 1, F.lit(1))
    known = F.to_date(F.try_to_timestamp(F.substring(first_seen, 1, 10), F.lit("yyyy-MM-dd")))
    span = F.coalesce(F.datediff(now, known), F.lit(0))
    mean = F.greatest(span / intervals, F.lit(float(max(config.min_revisit_days, 1))))
    unchanged = (intervals - changes + 0.5) / (intervals + 0.5)
    rate = -F.log(F.greatest(unchanged, F.lit(1e-9))) / mean
    wanted = F.when(rate > 0, -F.log(F.lit(1 - _CHANCE_OF_NEWS)) / rate)
    observed = F.least(F.coalesce(wanted, 2 * mean), 2 * mean)
    backed_off = config.min_revisit_days * F.pow(F.lit(2.0), F.least(failures, F.lit(16)))
    days = (
        F.when(state == "gone", F.lit(float(_FORGOTTEN_AFTER)))
        .when(failures > 0, backed_off)
        .when(visits <= 1, F.lit(float(config.min_revisit_days)))
        .otherwise(observed)
    )
    bounded = F.least(
        F.greatest(F.round(days), F.lit(float(config.min_revisit_days))),
        F.lit(float(config.max_revisit_days)),
    )
    return F.date_format(F.date_add(now, bounded.cast("int")), "yyyy-MM-dd")
