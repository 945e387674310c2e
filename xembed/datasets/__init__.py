"""Corpora to try things on, and reading and writing texts, tables and embeddings."""

from __future__ import annotations

from xembed.datasets._bundled import load_corpora, load_planted_vocabulary
from xembed.datasets._dictionary import Dictionary, load_dictionary
from xembed.datasets._fetch import fetch_geco
from xembed.datasets._geco import load_geco
from xembed.datasets._gendered import load_gendered_pairs
from xembed.datasets._lexicon_rules import Choice, WordContext
from xembed.datasets._lexicons import Lexicon, load_lexicon
from xembed.datasets._make_pairs import MadePairs, Undecided, make_pairs
from xembed.datasets._paired import PairedSentences
from xembed.datasets._read import read_embeddings, read_texts
from xembed.datasets._sts import STSPairs, load_sts
from xembed.datasets._tables import TextTable
from xembed.datasets._write import check_table_path, write_table

__all__ = [
    "Choice",
    "Dictionary",
    "Lexicon",
    "MadePairs",
    "PairedSentences",
    "STSPairs",
    "TextTable",
    "Undecided",
    "WordContext",
    "check_table_path",
    "fetch_geco",
    "load_corpora",
    "load_dictionary",
    "load_geco",
    "load_gendered_pairs",
    "load_lexicon",
    "load_planted_vocabulary",
    "load_sts",
    "make_pairs",
    "read_embeddings",
    "read_texts",
    "write_table",
]
