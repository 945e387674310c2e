from ._intervals import Interval as Interval
from ._intervals import PairedDifference as PairedDifference
from ._intervals import clustered_interval as clustered_interval
from ._intervals import holm as holm
from ._intervals import paired_difference as paired_difference
