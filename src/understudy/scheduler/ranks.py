"""One stage in several processes of this machine that torch.distributed joins, one per GPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, NoReturn

from understudy.errors import ConfigError, RunError
from understudy.runs import plain
from understudy.scheduler.stage import StageContext
from understudy.scheduler.worker import (
    Crashed,
    Failed,
    Progressed,
    Report,
    failure_of,
    live_and_die_with_parent,
)

_HOST = "127.0.0.1"
_AFTERMATH_SECONDS = 5.0
"""How long the others are heard once one has crashed."""


def in_processes(count: int, function: Callable[..., None], context: StageContext, **kwargs: Any) -> None:
    """Call `function(context, **kwargs)` in `count` processes at once, and return when all have; for one, call it here.

    Each of several finds RANK, WORLD_SIZE and the like in its environment, as torchrun sets them, and takes the GPU of its
    rank. What the first reports is the stage's progress. If one fails, all are ended.

    Args:
        function: a top-level function; it and its arguments must be picklable.

    Raises:
        ConfigError: if there are GPUs, but fewer than processes.
        UnderstudyError: the one that a process raised.
        RunError: if one failed unexpectedly, with its traceback, or died.
    """
    if count == 1:
        function(context, **kwargs)
        return
    import torch
    from torch import distributed

    if 0 < torch.cuda.device_count() < count:
        raise ConfigError(
            f"{count} processes need as many GPUs, but there are {torch.cuda.device_count()}",
            where="rl.processes",
            fix="lower it, or let more GPUs be seen (CUDA_VISIBLE_DEVICES)",
        )
    # Ours is the store that they meet at, so that no port has to be guessed.
    store = distributed.TCPStore(_HOST, 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    spawn = get_context("spawn")
    ranks: dict[Connection, SpawnProcess] = {}
    try:
        for rank in range(count):
            ours, theirs = spawn.Pipe()
            arguments = (theirs, rank, count, store.port, function, context.reporting_to(_silence), kwargs)
            process = spawn.Process(target=_rank, args=arguments, name=f"rank-{rank}")
            process.start()
            theirs.close()
            ranks[ours] = process
        _listen(dict(ranks), context)
    finally:
        for process in ranks.values():
            process.terminate()
        for connection, process in ranks.items():
            process.join()
            connection.close()


def _listen(running: dict[Connection, SpawnProcess], context: StageContext) -> None:
    """Relay what the processes report until each has finished, or raise for the one that failed."""
    crash: RunError | None = None
    while running:
        heard = wait([*running], timeout=None if crash is None else _AFTERMATH_SECONDS)
        if not heard:
            break
        for connection in heard:
            assert isinstance(connection, Connection)
            try:
                report: Report | None = connection.recv()
            except EOFError:
                _raise_death(running[connection])
            if isinstance(report, Progressed):
                context.progress(report.done, report.total, **report.figures)
                continue
            process = running.pop(connection)
            if isinstance(report, Failed):
                raise report.error
            if isinstance(report, Crashed) and crash is None:
                # The others lose their neighbour and crash as well: the first that did is the cause, if none was killed.
                crash = RunError(f"{process.name} failed: {report.summary}\n{report.traceback}")
    if crash is not None:
        raise crash


def _raise_death(process: SpawnProcess) -> NoReturn:
    process.join(timeout=5)
    raise RunError(
        f"{process.name} died (exit code {process.exitcode})",
        fix="if memory ran out (exit code -9), use fewer rl.processes or a smaller sampling.width",
    )


def _rank(
    connection: Connection,
    rank: int,
    count: int,
    port: int,
    function: Callable[..., None],
    context: StageContext,
    kwargs: dict[str, Any],
) -> None:
    """Entry point of a process."""
    live_and_die_with_parent()
    os.environ.update(
        {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": _HOST,
            "MASTER_PORT": str(port),
            "TORCHELASTIC_USE_AGENT_STORE": str(True),
        }
    )

    def report(done: int, total: int, figures: dict[str, Any]) -> None:
        if rank == 0:
            connection.send(Progressed(done, total, plain(figures)))

    try:
        _take_share(rank, count)
        function(context.reporting_to(report), **kwargs)
        connection.send(None)
    except BaseException as error:
        with suppress(BrokenPipeError):
            connection.send(failure_of(error))


def _take_share(rank: int, count: int) -> None:
    """Of the machine: the GPU of its rank, and its part of the threads."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    torch.set_num_threads(max(1, torch.get_num_threads() // count))


def _silence(done: int, total: int, figures: dict[str, Any]) -> None:
    """Stands in for the report of a context that travels; the process that it reaches puts its own there."""
