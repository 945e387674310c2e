"""The transforms, by the names that they had here first."""

from __future__ import annotations

from xembed.transforms import AllButTheTop as AllButTheTop
from xembed.transforms import ClusterIsotropy as ClusterIsotropy
from xembed.transforms import ICAProjection as ICAProjection
from xembed.transforms import Standardize as Standardize
from xembed.transforms import Whitening as Whitening
from xembed.transforms import WrappedEncoder as WrappedEncoder
from xembed.transforms import load_correction as load_correction
from xembed.transforms import wrap as wrap
