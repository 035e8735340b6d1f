from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import scheduler_stages as s
from understudy.errors import LogError, RunError
from understudy.runs import RunFolder
from understudy.scheduler import Event, Stage, StageContext, in_processes, run_stages, terminal_display
from understudy.scheduler.cost import CostMeter
from understudy.scheduler.stage import ordered


def folder(path: Path) -> RunFolder:
    return RunFolder.create(path, s.Config(), resume=True)


def contents(run: Path) -> dict[str, str]:
    """Every file of the stages by its path; costs are left out, since they differ from run to run."""
    files = sorted(p for p in (run / "stages").rglob("*") if p.is_file() and p.name != "cost.json")
    return {str(p.relative_to(run)): p.read_text() for p in files}


def wait_for(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "the other process never got there"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"  # dead, and nobody has asked for its exit code


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole")
    run_stages(folder(run), s.long_run(""), 2, s.ignore)
    return run


def start_and_wait_inside_a_stage(run: Path, hold: Path) -> tuple[subprocess.Popen[str], int]:
    """A run in another process, as soon as its stage `c/count` is half done; and the process of that worker."""
    hold.touch()
    process = subprocess.Popen(
        [sys.executable, s.__file__, str(run), str(hold)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that it can be sent Ctrl-C as a terminal sends it
    )
    wait_for(lambda: hold.read_text() != "" or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]
    return process, int(hold.read_text())


def test_output_cost_and_scratch_of_a_run(uninterrupted: Path) -> None:
    total = sum(s.stream(3, "step", step).random() for step in range(12))
    assert (uninterrupted / "stages/d/text.txt").read_text() == f"A+{total!r}"
    rows = (uninterrupted / "stages/c/count/metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == list(range(12))
    cost = json.loads((uninterrupted / "stages/c/count/cost.json").read_text())
    assert set(cost) == {"wall_seconds", "cpu_seconds"}
    assert not (uninterrupted / "scratch").exists()


def test_killed_in_the_middle_of_a_stage_and_resumed_ends_the_same(tmp_path: Path, uninterrupted: Path) -> None:
    process, worker = start_and_wait_inside_a_stage(tmp_path / "run", tmp_path / "hold")
    process.kill()
    process.communicate()
    wait_for(lambda: gone(worker))
    assert not (tmp_path / "run/stages/c/count").exists()
    (tmp_path / "hold").unlink()
    (tmp_path / "run/.manifest.json.tmp-12-00ff00ff").touch()  # as a kill during an earlier resume leaves it
    events: list[Event] = []
    run_stages(folder(tmp_path / "run"), s.long_run(str(tmp_path / "hold")), 2, events.append)
    # From the checkpoint, not from the start; and what was finished is not done again.
    mark = tmp_path / "run/stages/c/count/resumed-from.txt"
    assert mark.read_text() == "6"
    mark.unlink()
    assert contents(tmp_path / "run") == contents(uninterrupted)
    assert [(e.kind, e.stage.name) for e in events if e.kind != "progress"] == [
        ("found", "a"),
        ("started", "c/count"),
        ("finished", "c/count"),
        ("started", "d"),
        ("finished", "d"),
    ]
    assert not [p for p in (tmp_path / "run").rglob("*") if ".tmp-" in p.name]


def test_ctrl_c_ends_everything_and_leaves_nothing_half_written(tmp_path: Path, uninterrupted: Path) -> None:
    process, worker = start_and_wait_inside_a_stage(tmp_path / "run", tmp_path / "hold")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == "stopped\n"
    assert "Traceback" not in err
    assert "Traceback" not in "".join(p.read_text() for p in (tmp_path / "run/workers").iterdir())
    assert gone(worker)
    assert set(contents(tmp_path / "run")) == {"stages/a/text.txt"}
    assert not [p for p in (tmp_path / "run").rglob("*") if ".tmp-" in p.name]
    (tmp_path / "hold").unlink()
    run_stages(folder(tmp_path / "run"), s.long_run(str(tmp_path / "hold")), 1, s.ignore)
    (tmp_path / "run/stages/c/count/resumed-from.txt").unlink()
    assert contents(tmp_path / "run") == contents(uninterrupted)


def test_workers_leave_ctrl_c_to_the_parent(tmp_path: Path) -> None:
    run_stages(folder(tmp_path), [Stage("it", (), s.interrupt)], 1, s.ignore)
    assert (tmp_path / "stages/it/text.txt").read_text() == "still here"


def test_a_second_scheduler_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    process, _ = start_and_wait_inside_a_stage(tmp_path / "run", tmp_path / "hold")
    try:
        with pytest.raises(RunError, match="another process works in this run folder"):
            run_stages(folder(tmp_path / "run"), s.long_run(""), 1, s.ignore)
    finally:
        process.kill()
        process.communicate()


def test_error_of_the_user_is_raised_as_it_is_and_stops_the_others(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    slow = Stage("slow", (), s.count, {"seed": 1, "steps": 2, "hold": str(hold), "at": 0}, priority=1)
    with pytest.raises(LogError) as caught:
        run_stages(folder(tmp_path / "run"), [slow, Stage("bad", (), s.wrong_log)], 2, s.ignore)
    assert str(caught.value) == "logs.jsonl, line 7: has no user side\n  -> add it"
    assert (caught.value.where, caught.value.fix) == ("logs.jsonl, line 7", "add it")
    assert contents(tmp_path / "run") == {}


def test_unexpected_failures_name_stage_and_cause(tmp_path: Path) -> None:
    run = folder(tmp_path)
    with pytest.raises(
        RunError, match="stage x/divide failed unexpectedly: ZeroDivisionError: by zero, here"
    ) as caught:
        run_stages(run, [Stage("x/divide", (), s.divide)], 1, s.ignore)
    assert caught.value.where == str(tmp_path / "errors/x/divide.txt")
    assert "in divide" in (tmp_path / "errors/x/divide.txt").read_text()
    assert (tmp_path / "workers/0.txt").read_text() == "words of a library\n"
    assert contents(tmp_path) == {}
    # The same stage, mended: its old traceback goes.
    run_stages(run, [Stage("x/divide", (), s.write, {"text": "1"})], 1, s.ignore)
    assert not (tmp_path / "errors/x/divide.txt").exists()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (s.leave, r"stage it failed unexpectedly: SystemExit: 3"),
        (s.odd_error, r"stage it failed unexpectedly: .*OddError: one, two"),
        (s.die, r"worker process died during stage it \(exit code -9\)"),
        (s.read_stranger, r"stage it reads somebody else's, which is not among its needs"),
        ("scheduler_stages:nothing", r"AttributeError.*nothing"),
    ],
)
def test_other_ends_of_a_worker(tmp_path: Path, function, message: str) -> None:
    with pytest.raises(RunError, match=message):
        run_stages(folder(tmp_path), [Stage("it", (), function)], 1, s.ignore)


def test_workers_share_the_processors_and_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    stages = [Stage(name, (), s.report_settings) for name in ("one", "two", "three")]
    run_stages(folder(tmp_path), stages, 1, s.ignore, threads=7)
    texts = {(tmp_path / "stages" / stage.name / "text.txt").read_text() for stage in stages}
    assert len(texts) == 1
    assert texts.pop().split()[:2] == ["7", "True"]
    assert "OMP_NUM_THREADS" not in os.environ
    assert "MALLOC_TRIM_THRESHOLD_" not in os.environ


def test_display_on_a_file_is_a_line_per_stage(tmp_path: Path) -> None:
    stages = [
        Stage("a", (), s.write, {"text": "A"}, label="elicit 0: [base]"),
        Stage("b", ("a",), s.join, {"names": ["a"]}),
    ]
    for expected in (
        [r"started: elicit 0: [base]", "[1/2] done: elicit 0: [base] (", "started: b", "[2/2] done: b ("],
        ["[1/2] done before: elicit 0: [base]", "[2/2] done before: b"],
    ):
        text = io.StringIO()
        with terminal_display(Console(file=text)) as display:
            run_stages(folder(tmp_path), stages, 1, display)
        lines = text.getvalue().splitlines()
        assert [line[: len(start)] for line, start in zip(lines, expected, strict=True)] == expected


def test_display_on_a_terminal_shows_bars_with_figures() -> None:
    text = io.StringIO()
    stage = Stage("a", (), s.write, label="elicit 0: [base]")
    with terminal_display(Console(file=text, force_terminal=True, width=120, height=25, color_system=None)) as display:
        display(Event("started", stage, 0, 4))
        display(
            Event("progress", stage, 0, 4, done=3, total=60, figures={"reward": 0.41234, "decoding": "T=1", "x": None})
        )
    shown = text.getvalue()
    for part in ("all stages", "0/4", "elicit 0: [base]", "3/60", "reward 0.412, decoding T=1, x -"):
        assert part in shown


def test_cost_counts_processor_time_and_attempts_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    path.write_text('{"wall_seconds": 100.0, "cpu_seconds": 50.0}')
    meter = CostMeter(path)
    s.burn(StageContext(Stage("x", (), s.burn), tmp_path, tmp_path), 0.2)
    wall, cpu = meter.seconds()
    assert wall >= 100.19
    # The clock of os.times ticks every 0.01 s.
    assert 50.18 <= cpu < 60
    path.write_text('{"wall_seconds": 1')
    assert CostMeter(path).seconds()[0] < 100


def names(stages: list[Stage]) -> list[str]:
    return [stage.name for stage in ordered(stages)]


def test_order_is_priority_then_longest_chain_then_as_given() -> None:
    def stage(name: str, *needs: str, priority: int = 0) -> Stage:
        return Stage(name, needs, s.write, priority=priority)

    chain = [stage("leaf"), stage("z"), stage("root"), stage("middle", "root"), stage("end", "middle", "z")]
    assert names(chain) == ["root", "z", "middle", "leaf", "end"]
    assert names([*chain, stage("first", priority=1)])[0] == "first"


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([("a", ()), ("a", ())], r"share a name: \['a'\]"),
        ([("a", ("b",))], "stage a needs b, which is not a stage"),
        ([("a", ("c",)), ("b", ("a",)), ("c", ("b",))], "in a circle: a -> c -> b -> a"),
        ([("../a", ())], "cannot be a stage's name"),
        ([("a//b", ())], "cannot be a stage's name"),
        ([("a", ()), ("a/b", ())], "stage a/b would lie inside the folder of stage a"),
    ],
)
def test_stages_that_do_not_fit_together(stages: list[tuple[str, tuple[str, ...]]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ordered([Stage(name, needs, s.write) for name, needs in stages])


@pytest.mark.slow
@pytest.mark.parametrize(("how", "error"), [("log", LogError), ("crash", RunError), ("kill", RunError)])
def test_one_process_that_fails_ends_all(how: str, error: type[Exception], tmp_path: Path) -> None:
    heard: list[tuple[object, ...]] = []
    context = StageContext(Stage("s", (), "m:f"), tmp_path, tmp_path, lambda *report: heard.append(report))
    words = {"log": "line 7", "crash": "ZeroDivisionError: of nothing", "kill": "exit code -9"}
    with pytest.raises(error, match=words[how]):
        in_processes(2, s.fail_in_one_rank, context, how=how)
    assert heard in ([], [(1, 2, {})]), "the first process alone is heard"


@pytest.mark.slow
def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    starter = multiprocessing.get_context("spawn").Process(target=s.hold_ranks, args=(tmp_path,))
    starter.start()
    names = [tmp_path / "scratch" / "s" / rank for rank in ("0", "1")]
    wait_for(lambda: all(name.exists() and name.read_text() for name in names))
    starter.kill()
    starter.join()
    wait_for(lambda: all(gone(int(name.read_text())) for name in names))
