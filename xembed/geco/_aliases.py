"""Names that moved, importable from here for one release; what moved out of the package says where it is."""

from __future__ import annotations

from typing import Any, NoReturn

from xembed.concepts import PairedShift as PairedShift
from xembed.concepts import paired_shift as paired_shift
from xembed.stats import Interval as Interval
from xembed.stats import PairedDifference as PairedDifference
from xembed.stats import clustered_interval as clustered_interval
from xembed.stats import holm as holm
from xembed.stats import paired_difference as paired_difference


def refuse_reference(name: str) -> NoReturn:
    """Say where the reproduction of the published benchmark's own code is now."""
    raise NotImplementedError(
        f"{name} is no longer part of xembed: the recipe of GECOBench's own code, with its faults, is in "
        "docs/measurements/geco_reference of the source repository, to check published figures with."
    )


def reference_attributions(*_arguments: Any, **_options: Any) -> NoReturn:
    """Raise NotImplementedError: see docs/measurements/geco_reference in the source repository."""
    refuse_reference("xembed.geco.reference_attributions")


def reference_metrics(*_arguments: Any, **_options: Any) -> NoReturn:
    """Raise NotImplementedError: see docs/measurements/geco_reference in the source repository."""
    refuse_reference("xembed.geco.reference_metrics")
