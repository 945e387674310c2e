from ._adjust import benjamini_hochberg as benjamini_hochberg
from ._adjust import holm as holm
from ._intervals import Interval as Interval
from ._intervals import PairedDifference as PairedDifference
from ._intervals import SimultaneousIntervals as SimultaneousIntervals
from ._intervals import clustered_interval as clustered_interval
from ._intervals import paired_difference as paired_difference
from ._intervals import simultaneous_intervals as simultaneous_intervals
