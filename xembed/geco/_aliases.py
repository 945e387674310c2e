"""Names that moved to `xembed.stats`, importable from here for one release."""

from __future__ import annotations

from xembed.stats import Interval as Interval
from xembed.stats import PairedDifference as PairedDifference
from xembed.stats import clustered_interval as clustered_interval
from xembed.stats import holm as holm
from xembed.stats import paired_difference as paired_difference
