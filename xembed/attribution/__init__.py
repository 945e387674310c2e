"""Attributions: which words of a text decide what a model says, and which method can be trusted."""

from __future__ import annotations
