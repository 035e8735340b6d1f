"""Stages for the scheduler's tests, and a programme that runs them so that it can be killed from outside."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from pydantic import BaseModel

from understudy.errors import LogError, UnderstudyError
from understudy.runs import MetricsLog, RunFolder, stream, write_text
from understudy.scheduler import Event, Stage, StageContext, in_processes, run_stages


class Config(BaseModel):
    seed: int = 3


class OddError(UnderstudyError):
    def __init__(self, a: str, b: str) -> None:
        super().__init__(a + b)


def write(context: StageContext, text: str) -> None:
    write_text(context.output / "text.txt", text)


def join(context: StageContext, names: list[str]) -> None:
    write_text(context.output / "text.txt", "+".join((context.input(n) / "text.txt").read_text() for n in names))


def count(context: StageContext, seed: int, steps: int, hold: str = "", at: int = -1) -> None:
    """A training in small: a checkpoint every 3 steps, a metrics line each; waits at step `at` while `hold` exists."""
    metrics, checkpoint = MetricsLog(context.scratch / "metrics.jsonl"), context.scratch / "checkpoint.txt"
    start, total = 0, 0.0
    if checkpoint.exists():
        step, value = checkpoint.read_text().split()
        start, total = int(step), float(value)
        write_text(context.output / "resumed-from.txt", step)
    metrics.truncate_from(start)
    for step in range(start, steps):
        total += stream(seed, "step", step).random()
        metrics.append({"step": step, "total": total})
        context.progress(step + 1, steps, total=total)
        if (step + 1) % 3 == 0:
            write_text(checkpoint, f"{step + 1} {total!r}")
        if step == at and hold and Path(hold).exists():
            (context.output / "half-written").touch()
            Path(hold).write_text(str(os.getpid()))
            time.sleep(60)
    write_text(context.output / "metrics.jsonl", metrics.path.read_text())
    write_text(context.output / "text.txt", repr(total))


def fail_in_one_rank(context: StageContext, *, how: str) -> None:
    """The second process ends badly while the first waits for it."""
    from torch import distributed

    context.progress(int(os.environ["RANK"]) + 1, 2)
    distributed.init_process_group("gloo")
    if os.environ["RANK"] == "1":
        if how == "log":
            raise LogError("has no user side", where="logs.jsonl, line 7", fix="add it")
        if how == "crash":
            raise ZeroDivisionError("of nothing")
        os.kill(os.getpid(), signal.SIGKILL)
    distributed.barrier()


def wait_in_ranks(context: StageContext) -> None:
    """Each process says who it is, and waits."""
    (context.scratch / os.environ["RANK"]).write_text(str(os.getpid()))
    time.sleep(60)


def hold_ranks(folder: Path) -> None:
    in_processes(2, wait_in_ranks, StageContext(Stage("s", (), "m:f"), folder, folder))


def wrong_log(context: StageContext) -> None:
    raise LogError("has no user side", where="logs.jsonl, line 7", fix="add it")


def odd_error(context: StageContext) -> None:
    raise OddError("one, ", "two")


def divide(context: StageContext) -> None:
    (context.output / "half-written").touch()
    print("words of a library")
    raise ZeroDivisionError("by zero, here")


def leave(context: StageContext) -> None:
    sys.exit(3)


def die(context: StageContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt(context: StageContext) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    write_text(context.output / "text.txt", "still here")


def read_stranger(context: StageContext) -> None:
    context.input("somebody else's")


def report_settings(context: StageContext) -> None:
    kept = "MALLOC_TRIM_THRESHOLD_" in os.environ
    write_text(context.output / "text.txt", f"{os.environ.get('OMP_NUM_THREADS')} {kept} {os.getpid()}")


def burn(context: StageContext, seconds: float) -> None:
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass


def long_run(hold: str) -> list[Stage]:
    """Stages of which `c/count` waits in its eighth step while the file `hold` exists."""
    return [
        Stage("a", (), write, {"text": "A"}),
        Stage("c/count", ("a",), "scheduler_stages:count", {"seed": 3, "steps": 12, "hold": hold, "at": 7}, "counting"),
        Stage("d", ("c/count", "a"), join, {"names": ["a", "c/count"]}),
    ]


def ignore(event: Event) -> None:
    """A display that shows nothing."""


if __name__ == "__main__":
    # A shell starts what it puts into the background with SIGINT ignored, and a test run may be such a thing.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = RunFolder.create(Path(sys.argv[1]), Config(), resume=True)
    try:
        run_stages(folder, long_run(sys.argv[2]), 2)
    except KeyboardInterrupt:
        print("stopped")
        sys.exit(130)
