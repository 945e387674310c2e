"""Corpora to try things on, and reading and writing texts, tables and embeddings."""

from __future__ import annotations

from xembed.datasets._bundled import load_corpora, load_planted_vocabulary
from xembed.datasets._dictionary import Dictionary, load_dictionary
from xembed.datasets._gendered import load_gendered_pairs
from xembed.datasets._paired import PairedSentences
from xembed.datasets._read import read_embeddings, read_texts
from xembed.datasets._sts import STSPairs, load_sts
from xembed.datasets._tables import TextTable
from xembed.datasets._write import check_table_path, write_table

__all__ = [
    "Dictionary",
    "PairedSentences",
    "STSPairs",
    "TextTable",
    "check_table_path",
    "load_corpora",
    "load_dictionary",
    "load_gendered_pairs",
    "load_planted_vocabulary",
    "load_sts",
    "read_embeddings",
    "read_texts",
    "write_table",
]
