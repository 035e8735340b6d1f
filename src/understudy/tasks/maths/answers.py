"""Whether an answer is right, from any thread and soon, whatever is written.

A policy may write what takes sympy forever (`9**9**9**9`), and nothing within a process can stop that for sure: signals, which
math-verify uses, are for main threads alone, and engines ask from others. So a process of its own checks, and ends if it
takes too long.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from threading import Lock

from understudy.errors import ConfigError
from understudy.tasks.maths.checker import READY

SECONDS = 5.0
"""What takes longer to check is wrong; what people write takes some hundredths of a second."""


def is_right(answer: str, truth: str) -> bool:
    """Whether two answers are the same number or expression, however written (math-verify); within `SECONDS`, or no.

    Raises:
        ConfigError: if math-verify is not installed.
    """
    return _checker(os.getpid()).same(truth, answer)


class _Checker:
    """The process that checks, started when it is asked first, and again after it has ended."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None

    def same(self, truth: str, answer: str) -> bool:
        with self._lock:
            if self._process is None or self._process.poll() is not None:  # it may have been ended from outside
                self._process = _start()
            said = ""
            try:
                said = _ask(self._process, json.dumps([truth, answer]))
            finally:
                if not said:  # it has ended; or we were interrupted, and its answer would be taken for the next one's
                    _end(self._process)
                    self._process = None
        return said == "true"


@cache
def _checker(process: int) -> _Checker:
    """One per process: a fork must not read the answers of the process that it comes from."""
    return _Checker()


def _start() -> subprocess.Popen[str]:
    script = Path(__file__).with_name("checker.py")
    process = subprocess.Popen(
        [sys.executable, "-P", str(script), str(SECONDS)],  # -P: none of the modules beside it is meant
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert process.stdout is not None  # it is a pipe
    said = process.stdout.readline().strip()
    if said != READY:
        _end(process)
        raise ConfigError(
            f"checking answers needs math-verify, which is not installed ({said or 'its process ends at once'})",
            where="maths",
            fix="pip install -e '.[maths]'",
        )
    return process


def _ask(process: subprocess.Popen[str], line: str) -> str:
    """Its answer; empty if it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
