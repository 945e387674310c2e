from ._depth import tte_depth as tte_depth
from ._estimator import TTEDepth as TTEDepth
from ._local import local_depth as local_depth
from ._moments import moment_error as moment_error
from ._outliers import OutlierResult as OutlierResult
from ._outliers import find_outliers as find_outliers
from ._selection import select as select
from ._selection import select_examples as select_examples
