"""Reports: result -> plain data -> figures -> one self-contained HTML page."""

from __future__ import annotations

from xembed.reports._page import check_report_path, render_page, write_report

__all__ = ["check_report_path", "render_page", "write_report"]
