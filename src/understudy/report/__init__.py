"""One self-contained HTML page with plots, and the table in the terminal, made from run files alone."""

from understudy.report.card_page import build_card_page
from understudy.report.forecast_page import build_forecast_page
from understudy.report.logs_page import build_logs_page
from understudy.report.page import build_report
from understudy.report.shift_page import build_shift_page
from understudy.report.summary import Summary, summarise
from understudy.report.tables import write_tables
from understudy.report.terminal import print_summary

__all__ = [
    "Summary",
    "build_card_page",
    "build_forecast_page",
    "build_logs_page",
    "build_report",
    "build_shift_page",
    "print_summary",
    "summarise",
    "write_tables",
]
