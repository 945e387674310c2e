"""The command line: one command a question. Heavy imports stay inside the commands."""

from __future__ import annotations

from xembed.cli.app import app, main

__all__ = ["app", "main"]
