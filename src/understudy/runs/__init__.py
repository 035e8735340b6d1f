"""Run folders that survive a kill: atomic files, manifest, metrics, named random streams."""

from understudy.runs.atomic import (
    atomic_folder,
    clean_unfinished,
    disk_errors,
    plain,
    sync,
    write_json,
    write_pieces,
    write_text,
)
from understudy.runs.folder import RunFolder
from understudy.runs.metrics import MetricsLog
from understudy.runs.streams import stream, stream_seed

__all__ = [
    "MetricsLog",
    "RunFolder",
    "atomic_folder",
    "clean_unfinished",
    "disk_errors",
    "plain",
    "stream",
    "stream_seed",
    "sync",
    "write_json",
    "write_pieces",
    "write_text",
]
