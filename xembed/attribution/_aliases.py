"""Names that moved to `xembed.concepts` and `xembed.encoders`, importable from here for one release."""

from __future__ import annotations

from xembed.concepts import Axes as Axes
from xembed.concepts import AxesExplanation as AxesExplanation
from xembed.concepts import explain_axes as explain_axes
from xembed.concepts import make_axes as make_axes
from xembed.encoders import EncodedWords as EncodedWords
from xembed.encoders import WordEncoder as WordEncoder
