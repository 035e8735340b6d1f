"""The parent's side: hands out stages whose needs are met, and leaves the run folder whole however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NoReturn

from understudy.errors import RunError
from understudy.runs import RunFolder, clean_unfinished, disk_errors, write_text
from understudy.scheduler.lock import hold_exclusive
from understudy.scheduler.progress import Display, terminal_display
from understudy.scheduler.stage import Event, Stage, ordered
from understudy.scheduler.worker import Crashed, Failed, Finished, Progressed, Report, finish, work

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""glibc: keep freed memory. It otherwise goes back to the system after each product and is zeroed for the next one."""
# OpenMP (torch), and the linear algebra below numpy and scipy.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_stages(
    run: RunFolder,
    stages: Sequence[Stage],
    jobs: int,
    display: Display | None = None,
    *,
    threads: int | None = None,
) -> None:
    """Run all stages that are not finished yet, each when its needs are.

    Scripts that call this need the `if __name__ == "__main__":` guard of multiprocessing's spawned processes.

    Args:
        run: a stage whose folder is there is finished, and is not run again.
        stages: in any order.
        jobs: worker processes, 1 or more; they stay for one stage after the other.
        display: is told of every `Event`; by default bars or lines on the terminal.
        threads: of each worker; by default the processors divided by `jobs` (a variable such as OMP_NUM_THREADS that is
            set already wins).

    Raises:
        UnderstudyError: the one that a stage raised; the other stages are stopped.
        RunError: if a stage failed unexpectedly (its traceback is in `<run>/errors/`), a worker was killed, or another
            process works in the run folder.
        KeyboardInterrupt: on Ctrl-C, after the workers have been ended and their unfinished output removed.
        ValueError: if the stages do not fit together.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, but must be at least 1")
    queue = ordered(stages)
    with hold_exclusive(run.path):
        clean_unfinished(run.path)
        with terminal_display() if display is None else nullcontext(display) as shown:
            _Scheduler(run, queue, jobs, shown, threads or max(1, _processors() // jobs)).run_all()


class _Worker:
    """A process with the connection to it, and the stage that it has in hand."""

    def __init__(self, run: RunFolder, index: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=work, args=(theirs, run.path.resolve(), index), name=f"understudy-{index}", daemon=False
        )
        self.stage: Stage | None = None
        self.process.start()
        theirs.close()

    def start(self, stage: Stage) -> None:
        self.stage = stage
        with suppress(BrokenPipeError):  # it is dead: receiving from it will say so
            self.connection.send(stage)

    def end(self) -> None:
        self.process.terminate()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


class _Scheduler:
    def __init__(self, run: RunFolder, queue: list[Stage], jobs: int, display: Display, threads: int) -> None:
        self.run, self.display, self.threads = run, display, threads
        self.count = len(queue)
        self.finished = {stage.name for stage in queue if run.is_done(stage.name)}
        self.queue = [stage for stage in queue if stage.name not in self.finished]
        self.jobs = min(jobs, len(self.queue))
        self.workers: list[_Worker] = []
        for place, stage in enumerate((s for s in queue if s.name in self.finished), start=1):
            finish(run.path, stage.name)  # killed between the stage's end and its tidying up
            display(Event("found", stage, place, self.count))

    def run_all(self) -> None:
        try:
            while self.queue or any(worker.stage for worker in self.workers):
                self._hand_out()
                busy = {worker.connection: worker for worker in self.workers if worker.stage}
                for connection in wait(list(busy)):
                    self._receive(busy[connection])  # type: ignore[index]
        finally:
            self._end()

    def _hand_out(self) -> None:
        for stage in [s for s in self.queue if self.finished.issuperset(s.needs)]:
            worker = self._free_worker()
            if worker is None:
                return
            self.queue.remove(stage)
            worker.start(stage)
            self._tell("started", stage)

    def _free_worker(self) -> _Worker | None:
        free = next((worker for worker in self.workers if worker.stage is None), None)
        if free is None and len(self.workers) < self.jobs:
            with _settings(self.threads), _no_interrupt():
                free = _Worker(self.run, len(self.workers))
                self.workers.append(free)
        return free

    def _receive(self, worker: _Worker) -> None:
        stage = worker.stage
        assert stage is not None
        try:
            report: Report = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self._raise_death(worker, stage)
        if isinstance(report, Progressed):
            self._tell("progress", stage, done=report.done, total=report.total, figures=report.figures)
        elif isinstance(report, Finished):
            worker.stage = None
            self.finished.add(stage.name)
            self._errors(stage).unlink(missing_ok=True)  # of an earlier attempt
            self._tell("finished", stage, wall_seconds=report.wall_seconds, cpu_seconds=report.cpu_seconds)
        elif isinstance(report, Failed):
            raise report.error
        else:
            self._raise_crash(report, stage)

    def _raise_crash(self, report: Crashed, stage: Stage) -> NoReturn:
        path = self._errors(stage)
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, report.traceback)
        raise RunError(
            f"stage {stage.name} failed unexpectedly: {report.summary}",
            where=str(path),
            fix="the file holds the traceback; finished stages are kept: go on with --resume once the cause is gone",
        )

    def _raise_death(self, worker: _Worker, stage: Stage) -> NoReturn:
        worker.process.join(timeout=5)
        code = worker.process.exitcode
        raise RunError(
            f"the worker process died during stage {stage.name} (exit code {code})",
            where=str(self.run.path / "workers"),
            fix=(
                "if memory ran out (exit code -9), use fewer --jobs or a smaller sampling.width; a script of your own "
                'needs `if __name__ == "__main__":` around run_stages; then go on with --resume'
            ),
        )

    def _errors(self, stage: Stage) -> Path:
        return self.run.path / "errors" / f"{stage.name}.txt"

    def _tell(self, kind: str, stage: Stage, **rest: object) -> None:
        self.display(Event(kind, stage, len(self.finished), self.count, **rest))  # type: ignore[arg-type]

    def _end(self) -> None:
        """End the workers at once: what they have not finished is written again by a resumed run."""
        with _no_interrupt():
            for worker in self.workers:
                worker.process.terminate()
            for worker in self.workers:
                worker.end()
            clean_unfinished(self.run.path / "stages")
            _remove_empty(self.run.path / "scratch")


def _remove_empty(folder: Path) -> None:
    for above, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(above)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _settings(threads: int) -> Iterator[None]:
    """Let a process that is started in the block find these variables set before it imports anything."""
    wanted = {**dict.fromkeys(THREAD_VARIABLES, str(threads)), **KEEP_MEMORY}
    ours = [name for name in wanted if name not in os.environ]
    os.environ.update({name: wanted[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back until the block is over; a process started in it is born with Ctrl-C held back."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
