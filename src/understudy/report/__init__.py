"""The report: numbers, a table in the terminal and one self-contained HTML page, from the files of a run alone."""

from understudy.report.page import build_report
from understudy.report.summary import ArmSummary, Difference, FamilySummary, Summary, summarise
from understudy.report.terminal import print_summary

__all__ = [
    "ArmSummary",
    "Difference",
    "FamilySummary",
    "Summary",
    "build_report",
    "print_summary",
    "summarise",
]
