"""Stages with needs, run by worker processes, so that a long run can be stopped, killed and gone on with."""

from understudy.scheduler.progress import terminal_display
from understudy.scheduler.ranks import in_processes
from understudy.scheduler.run import run_stages
from understudy.scheduler.stage import Event, Stage, StageContext

__all__ = ["Event", "Stage", "StageContext", "in_processes", "run_stages", "terminal_display"]
