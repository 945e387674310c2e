"""Names that moved to `xembed.stats` and `xembed.concepts`, importable from here for one release."""

from __future__ import annotations

from xembed.concepts import PairedShift as PairedShift
from xembed.concepts import paired_shift as paired_shift
from xembed.stats import Interval as Interval
from xembed.stats import PairedDifference as PairedDifference
from xembed.stats import clustered_interval as clustered_interval
from xembed.stats import holm as holm
from xembed.stats import paired_difference as paired_difference
