"""Names that moved to `xembed.encoders`, importable from here for one release."""

from __future__ import annotations

from xembed.encoders import EncodedWords as EncodedWords
from xembed.encoders import WordEncoder as WordEncoder
