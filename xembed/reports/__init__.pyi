from ._markdown import render_markdown as render_markdown
from ._render import render_page as render_page
from ._write import check_report_path as check_report_path
from ._write import compare_results as compare_results
from ._write import write_combined as write_combined
from ._write import write_comparison as write_comparison
from ._write import write_report as write_report
