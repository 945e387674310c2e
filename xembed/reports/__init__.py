"""Reports: result -> plain data -> figures -> one self-contained HTML page."""

from __future__ import annotations

from xembed.reports._page import check_report_path, render_page, write_report
from xembed.reports._several import compare_results, write_combined, write_comparison

__all__ = [
    "check_report_path",
    "compare_results",
    "render_page",
    "write_combined",
    "write_comparison",
    "write_report",
]
