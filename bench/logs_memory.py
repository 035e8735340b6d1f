"""Peak memory and time of `understudy logs import` on logs made for the purpose.

    python bench/logs_memory.py [--messages 1000000] [--form jsonl|json|csv]

Conversations of 8 messages with 20 random words each, every hundredth a copy of an earlier one. The peak is the resident set of
the whole process.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LENGTH, WORDS, COPIES = 8, 20, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--form", choices=("jsonl", "json", "csv"), default="jsonl")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"made.{given.form}"
        write(path, conversations(given.messages // LENGTH), given.form)
        print(f"{path.stat().st_size / 1e6:,.0f} MB in one {given.form} file", flush=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "understudy", "logs", "import", str(path), "--out", f"{folder}/out"]
        subprocess.run(command, check=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{time.monotonic() - began:.0f} s, peak resident memory {peak:.0f} MiB")


def conversations(count: int) -> Iterator[list[tuple[str, str]]]:
    """The messages of each, as (role, words)."""
    rng = np.random.default_rng(0)
    before: list[tuple[str, str]] = []
    for number in range(count):
        if number % COPIES or not before:
            words = rng.integers(20_000, size=(LENGTH, WORDS))
            before = [("assistant" if i % 2 else "user", " ".join(f"w{w}" for w in row)) for i, row in enumerate(words)]
        yield before


def write(path: Path, found: Iterator[list[tuple[str, str]]], form: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            rows = csv.writer(file)
            rows.writerow(("conversation_id", "role", "text"))
            rows.writerows((number, role, text) for number, said in enumerate(found) for role, text in said)
            return
        file.write("[" if form == "json" else "")
        for number, said in enumerate(found):
            messages = [{"role": role, "content": text} for role, text in said]
            file.write("," if form == "json" and number else "")
            file.write(json.dumps({"id": str(number), "user_id": f"p{number // 5}", "messages": messages}))
            file.write("" if form == "json" else "\n")
        file.write("]" if form == "json" else "")


if __name__ == "__main__":
    main()
