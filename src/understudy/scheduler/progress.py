"""Shows a run on the terminal: bars where it is one, a plain line per stage where it is a file or a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from understudy.scheduler.stage import Event

if TYPE_CHECKING:
    from rich.console import Console

Display = Callable[[Event], None]


@contextmanager
def terminal_display(console: Console | None = None) -> Iterator[Display]:
    """A display for `run_stages`; it writes to `console`, by default to standard error."""
    from rich.console import Console

    console = console or Console(stderr=True)
    if console.is_terminal:
        with _bars(console) as display:
            yield display
    else:
        yield lambda event: _line(console, event)


@contextmanager
def _bars(console: Console) -> Iterator[Display]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Progress(*columns, console=console, transient=False) as progress:
        overall: TaskID | None = None
        running: dict[str, TaskID] = {}

        def display(event: Event) -> None:
            nonlocal overall
            if overall is None:
                overall = progress.add_task("all stages", total=event.stages, figures="")
            progress.update(overall, completed=event.finished)
            name = event.stage.name
            if event.kind == "started":
                running[name] = progress.add_task(event.stage.title, total=None, figures="")
            elif event.kind == "progress" and name in running:
                progress.update(
                    running[name], completed=event.done, total=event.total, figures=format_figures(event.figures)
                )
            elif event.kind == "finished":
                progress.remove_task(running.pop(name))
                progress.console.print(_finished(event), markup=False, highlight=False)

        yield display


def _line(console: Console, event: Event) -> None:
    if event.kind == "started":
        text = f"started: {event.stage.title}"
    elif event.kind == "finished":
        text = _finished(event)
    elif event.kind == "found":
        text = f"[{event.finished}/{event.stages}] done before: {event.stage.title}"
    else:
        return
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _finished(event: Event) -> str:
    seconds = f"{event.wall_seconds:.1f} s, {event.cpu_seconds:.1f} CPU-s"
    return f"[{event.finished}/{event.stages}] done: {event.stage.title} ({seconds})"


def format_figures(figures: Mapping[str, Any]) -> str:
    """`reward 0.412, decoding greedy`: the last figures of a stage on its bar."""
    return ", ".join(f"{name} {_short(value)}" for name, value in figures.items())


def _short(value: Any) -> str:
    if value is None:  # a figure that was not finite
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
