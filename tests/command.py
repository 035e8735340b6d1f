"""The command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def understudy(*arguments: str, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    # pytest-socket blocks the network in the tests' own process alone: here a name that is no folder would be looked up at
    # Hugging Face, and tried again for half a minute where nothing answers.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    if path:
        environment["PYTHONPATH"] = path
    return subprocess.run(
        [sys.executable, "-m", "understudy", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=300, env=environment,
    )  # fmt: skip
