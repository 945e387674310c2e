from ._axes import Axes as Axes
from ._axes import AxesExplanation as AxesExplanation
from ._axes import explain_axes as explain_axes
from ._axes import make_axes as make_axes
from ._paired_shift import PairedShift as PairedShift
from ._paired_shift import paired_shift as paired_shift
