from ._cluster_isotropy import ClusterIsotropy as ClusterIsotropy
from ._correction_files import load_correction as load_correction
from ._corrections import AllButTheTop as AllButTheTop
from ._corrections import Standardize as Standardize
from ._ica import ICAProjection as ICAProjection
from ._whitening import Whitening as Whitening
from ._wrap import WrappedEncoder as WrappedEncoder
from ._wrap import wrap as wrap
