from . import attribution as attribution
from . import concepts as concepts
from . import datasets as datasets
from . import defsent as defsent
from . import depth as depth
from . import encoders as encoders
from . import geco as geco
from . import isotropy as isotropy
from . import reports as reports
from . import shift as shift
from . import stats as stats
from . import transforms as transforms
from ._core.results import read_result as read_result
from .encoders._load import load_encoder as load_encoder

__version__: str
