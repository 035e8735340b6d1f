"""The report against numbers worked out by hand, on run folders with made-up results."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import re
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from command import understudy
from understudy.config import ARMS
from understudy.endpoint.answers import ANSWERS, SCORES, Answer, AnswerStore
from understudy.errors import RunError
from understudy.report import build_report, print_summary, summarise
from understudy.report.findings import headline, standing
from understudy.report.palette import PROGRAMME_NOTE, STAND_IN_NOTE
from understudy.report.read import read_run
from understudy.results import Further
from understudy.runs import MetricsLog, write_json

# The tests have no packages of their own (import mode importlib): the fake run is loaded by its path.
_spec = importlib.util.spec_from_file_location("understudy_fake_run", Path(__file__).with_name("fake_run.py"))
assert _spec is not None
assert _spec.loader is not None
fake = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = fake
_spec.loader.exec_module(fake)


class Page(HTMLParser):
    """Text, tags, ids and loaded addresses of a page, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.ids, self.loads = "", set(), [], []
        self.links: list[str] = []
        self._skip = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._skip = tag == "style"
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
                (self.links if (value or "").startswith("#") else self.loads).append(value or "")

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.text += data

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", self.text)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One seed of one family, with a message that tries to run a script."""
    run = tmp_path_factory.mktemp("runs") / "demo"
    fake.write_manifest(run, ["elicit"], [0])
    fake.write_cell(run, "elicit", 0, said="a latte <script>alert(1)</script> & <b>milk</b>")
    fake.write_sweeps(run, "elicit", 0)
    return run, build_report(run).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two seeds of a known family and of one with a referee; a third seed of the first is half done."""
    run = tmp_path_factory.mktemp("runs") / "full"
    fake.write_manifest(run, ["edit", "negotiate"], [0, 1, 2])
    fake.write_cell(run, "edit", 0, tuned={**fake.TUNED, "calibrated": 0.56}, scale=100)
    fake.write_cell(run, "edit", 1, tuned={**fake.TUNED, "calibrated": 0.66}, scale=100)
    fake.write_result(run, "edit/seed2/judge-base", fake.arm_result("edit", 2, "base", 0.4, scale=100))
    for seed in (0, 1):
        fake.write_cell(run, "negotiate", seed, judge_label=fake.REFEREE)
    return run, build_report(run).read_text(encoding="utf-8")


def test_one_seed_gives_shares_and_intervals_over_its_dialogues(demo: tuple[Path, str]) -> None:
    (family,) = summarise(demo[0]).families
    calibrated, interactive = family.row("calibrated"), family.row("interactive")
    assert calibrated.recovered["tuned"].mean == pytest.approx((0.61 - 0.40) / (0.70 - 0.40))
    assert interactive.recovered["tuned"].mean == pytest.approx((0.15 - 0.40) / (0.70 - 0.40))
    assert not calibrated.recovered["tuned"].has_interval
    tuned = calibrated.rewards["tuned"]
    assert (tuned.mean, tuned.low, tuned.high) == pytest.approx((0.61, 0.58, 0.64))
    assert (tuned.over, tuned.n) == ("dialogues", 1000)
    assert interactive.in_training.mean == 0.98
    assert calibrated.cost["real_dialogues"] == 4500
    words = Page(demo[1]).words
    assert "Calibrated recovered 70% of the oracle's gain; interactive ended below base." in words
    assert "interactive's reward was 0.98 in training and 0.05 with real users (population)" in words
    assert "illustrative: one seed, 60 RL steps per arm" in words
    assert "0.6100.580 to 0.640" in words


def test_seeds_give_t_intervals_and_paired_differences(full: tuple[Path, str]) -> None:
    edit = summarise(full[0]).families[0]
    difference = edit.difference("calibrated", "static").estimate
    # 20 and 30 BLEU: mean 25, half-width t(.975, 1) * sd / sqrt(2) = 12.7062 * 5.
    assert (difference.mean, difference.n) == (pytest.approx(25), 2)
    assert difference.high - difference.mean == pytest.approx(63.531, abs=1e-3)
    calibrated = edit.row("calibrated")
    assert (calibrated.rewards["tuned"].mean, calibrated.rewards["tuned"].over) == (pytest.approx(61), "seeds")
    # Ratio of the mean gains: ((56 - 40) + (66 - 40)) / 2 over 30.
    assert calibrated.recovered["tuned"].mean == pytest.approx(21 / 30)
    assert edit.row("base").seeds == (0, 1, 2)
    words = Page(full[1]).words
    # By seed, and at T=1, where every arm lies .1 lower.
    assert "calibrated − static+25.0−38.5 to 88.5no+20.0, +30.0+25.0−38.5 to 88.5" in words
    assert edit.difference("calibrated", "static", "greedy").by_seed == pytest.approx({0: 20, 1: 30})
    assert "illustrative" not in words


def test_tables_have_every_seed_for_papers_and_notes(full: tuple[Path, str], tmp_path: Path) -> None:
    asked = ("report", str(full[0]), "--out", str(tmp_path / "page.html"), "--tables", str(tmp_path / "tables.md"))
    done = understudy(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tables.md" in done.stdout
    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert (tmp_path / "page.html").is_file()
    arms, differences, training = text.split("\n\n")[1:4]
    rows = {cells[1]: cells[2:-1] for line in arms.splitlines() if (cells := [c.strip() for c in line.split("|")])}
    assert {len(row) for row in rows.values()} == {10}
    calibrated = rows["calibrated"]
    assert calibrated[1:4] == ["61.0 [−2.5, 124.5]", "63.0 [−0.5, 126.5]", "56.0, 66.0"]
    # The gains of seeds 0 and 1 differ so much that Fieller's interval of their share reaches far beyond either.
    assert calibrated[4] == calibrated[5] == "70% [−142%, 282%]"
    assert calibrated[6] == "52.0 [52.0, 52.0]"
    assert rows["oracle"][4:6] == ["", ""]
    assert "| calibrated - static | 25.0 [−38.5, 88.5] | +20.0, +30.0 | 25.0 [−38.5, 88.5] |" in differences
    assert training.splitlines()[0].startswith("| training | AUC of contexts, last turn | by seed |")
    assert "* negotiate, seed 2: nothing judged yet" in text
    assert "interactive†" in rows
    assert STAND_IN_NOTE in text


def test_the_page_says_when_the_aligned_user_leaves(tmp_path: Path) -> None:
    def words(name: str, support: dict[str, float | None], repeats: Sequence[int] = ()) -> str:
        fake.write_manifest(tmp_path / name, ["elicit"], [0, 1], support=support)
        for seed in (0, 1):
            fake.write_cell(tmp_path / name, "elicit", seed)
        for seed, count in enumerate(repeats):
            folder = tmp_path / name / "stages" / "elicit" / f"seed{seed}" / "user-aligned"
            folder.mkdir()
            write_json(folder / "history.json", {"support": {"repeats": count}})
        return Page(build_report(tmp_path / name).read_text("utf-8")).words

    both = words("both", {"quantile": 0.99}, (0, 1))
    assert "less typical than 99% of those in held-out logs" in both
    assert "said before more often than 99% of those in logs (elicit: 0, 1 by seed)" in both
    earlier = words("typical", {"quantile": 0.99})
    assert "less typical than 99%" in earlier
    assert "said before" not in earlier
    assert "less typical" not in words("open", {"quantile": None})


def test_the_page_names_every_revision_that_a_run_was_made_with(tmp_path: Path) -> None:
    fake.write_manifest(tmp_path, ["elicit"], [0])
    fake.write_cell(tmp_path, "elicit", 0)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    resumed = [{"git_revision": revision} for revision in ("abc123", "def456", None, "def456")]
    write_json(tmp_path / "manifest.json", {**manifest, "resumed": resumed})
    words = Page(build_report(tmp_path).read_text("utf-8")).words
    assert "abc123, gone on with at def456" in words
    assert words.count("def456") == 1


def test_above_and_below_are_said_only_where_the_intervals_say_so(tmp_path: Path) -> None:
    for seed, value in enumerate((0.30, 0.36, 0.45)):
        fake.write_cell(tmp_path, "elicit", seed, tuned={**fake.TUNED, "interactive": value, "calibrated": value + 0.3})
    (family,) = (summary := summarise(tmp_path)).families
    assert family.difference("interactive", "base").estimate.mean < 0
    assert standing(family, "interactive", "base") == "not clearly apart from"
    assert standing(family, "calibrated", "base") == "above"
    assert "interactive ended not clearly apart from base" in headline(summary)


def test_the_headline_follows_other_results(tmp_path: Path) -> None:
    fake.write_cell(tmp_path / "a", "elicit", 0, tuned={**fake.TUNED, "calibrated": 0.35, "interactive": 0.55})
    assert headline(summarise(tmp_path / "a")) == (
        "Calibrated recovered nothing of the oracle's gain; interactive ended above base."
    )
    fake.write_cell(tmp_path / "worse", "elicit", 0, tuned={**fake.TUNED, "calibrated": 0.1, "interactive": 0.55})
    assert headline(summarise(tmp_path / "worse")) == "Calibrated ended below base; interactive ended above base."
    fake.write_cell(tmp_path / "b", "elicit", 0, tuned={**fake.TUNED, "oracle": 0.39})
    found = summarise(tmp_path / "b")
    assert math.isnan(found.families[0].row("calibrated").recovered["tuned"].mean)
    assert headline(found).startswith("The oracle's gain over base is not significant")
    # A gain that is within the intervals over the dialogues of one seed is no gain to have a share of.
    fake.write_cell(tmp_path / "little", "elicit", 0, tuned={**fake.TUNED, "oracle": 0.42})
    found = summarise(tmp_path / "little")
    assert math.isnan(found.families[0].row("calibrated").recovered["tuned"].mean)
    fake.write_cell(tmp_path / "c", "elicit", 0, tuned={"base": 0.4, "static": 0.5})
    assert headline(summarise(tmp_path / "c")) == "Best so far: static (0.50 on elicit)."
    for family, calibrated in (("elicit", 0.61), ("edit", 0.55)):
        fake.write_cell(tmp_path / "d", family, 0, tuned={**fake.TUNED, "calibrated": calibrated})
    assert headline(summarise(tmp_path / "d")) == (
        "Calibrated recovered 50% to 70% of the oracle's gain on 2 tasks; interactive ended below base on all of them."
    )


def test_what_is_missing_is_named(full: tuple[Path, str]) -> None:
    missing = summarise(full[0]).missing
    assert missing == (
        "edit, seed 2: judgement of control, judgement of static, judgement of interactive, judgement of calibrated, "
        "judgement of oracle, context shift, coherence of the users, transcripts",
        "negotiate, seed 2: nothing judged yet",
    )
    words = Page(full[1]).words
    assert "2 of 3 seeds finished" in words
    assert all(line in words for line in missing)


def test_missing_sweeps_and_curves_are_named(tmp_path: Path) -> None:
    fake.write_manifest(tmp_path, ["elicit"], [0], severities=[0, 0.5, 1], log_sizes=[100, 2000])
    fake.write_cell(tmp_path, "elicit", 0)
    fake.write_sweeps(tmp_path, "elicit", 0)
    (tmp_path / "stages/elicit/seed0/judge-interactive-severity-0.5/result.json").unlink()
    (tmp_path / "stages/elicit/seed0/static/metrics.jsonl").unlink()
    assert summarise(tmp_path).missing == (
        "elicit, seed 0: learning curve of static, interactive at severity 0.5, calibrated on 2000 logs",
    )
    assert len(summarise(tmp_path).families[0].finished) == 1


def test_folders_are_shown_as_one(tmp_path: Path) -> None:
    """Cells that were run by themselves, and a sweep whose arms are in another folder."""
    first, second, sweep = (tmp_path / name for name in ("first", "second", "sweep"))
    for run, seed in ((first, 0), (second, 1)):
        fake.write_manifest(run, ["elicit"], [seed])
        fake.write_cell(run, "elicit", seed, tuned={**fake.TUNED, "calibrated": 0.5 + 0.1 * seed})
    fake.write_manifest(sweep, ["elicit"], [0], severities=[0, 0.25, 0.5, 0.75, 1])
    fake.write_sweeps(sweep, "elicit", 0)
    (family,) = (summary := summarise(first, second, sweep)).families
    calibrated = family.row("calibrated")
    assert calibrated is not None
    assert calibrated.seeds == (0, 1)
    assert calibrated.rewards["tuned"].mean == pytest.approx(0.55)
    assert (family.expected, summary.missing) == ((0, 1), ())
    page = build_report(first, second, sweep)
    assert page == first / "report.html"
    words = Page(page.read_text(encoding="utf-8")).words
    assert "How bad must the simulated user be?" in words
    assert f"understudy report {first} {second} {sweep}" in words
    assert "settings differ" not in words
    fake.write_manifest(second, ["elicit"], [1], rl={"steps": 7})
    assert "Their settings differ in rl.steps" in Page(build_report(first, second).read_text(encoding="utf-8")).words
    # A run of an earlier version lacks a setting, and did not do what it does by default.
    fake.write_manifest(second, ["elicit"], [1], sft={"matrix_learning_rate": 0.01})
    for runs in ((first, second), (second, first)):
        words = Page(build_report(*runs).read_text(encoding="utf-8")).words
        assert "Their settings differ in sft.matrix_learning_rate" in words
    with pytest.raises(RunError, match=r"(?s:holds no result.*RUN SWEEP)"):
        summarise(sweep)
    # What two folders hold of one cell is the first one's.
    fake.write_cell(second, "elicit", 0, tuned={**fake.TUNED, "calibrated": 0.9})
    for runs, tuned in (((first, second), 0.5), ((second, first), 0.9)):
        (result,) = [c.arms["calibrated"] for c in read_run(*runs).cells if c.seed == 0]
        assert result.decoding["tuned"].reward == tuned


def test_rounds_of_re_alignment_stand_beside_their_control(tmp_path: Path) -> None:
    fake.write_manifest(tmp_path, ["elicit"], [0, 1], realignment={"rounds": 2})
    for seed in (0, 1):
        fake.write_cell(tmp_path, "elicit", seed)
        for realigned, name, tuned in ((True, "realigned", 0.70 + 0.02 * seed), (False, "continued", 0.60)):
            curve = [fake.point(0, 0.5), fake.point(1, (0.6 if realigned else 0.7) + 0.02 * seed)]
            further = Further(rounds=1, realigned=realigned, contexts=curve)
            result = fake.arm_result("elicit", seed, "calibrated", tuned, further=further)
            fake.write_result(tmp_path, f"elicit/seed{seed}/judge-calibrated-{name}-1", result)
    (family,) = (summary := summarise(tmp_path)).families
    arm, control, realigned = family.rounds
    assert [row.words for row in family.rounds] == ["calibrated", "round 1, same user", "round 1, re-aligned"]
    assert arm.rewards["tuned"].mean == pytest.approx(fake.TUNED["calibrated"])
    assert control.beyond_control is None
    assert realigned.beyond_control is not None
    assert realigned.beyond_control.mean == pytest.approx(0.11)
    # t(.975, 1) * sd / sqrt(2) = 12.7062 * .01.
    assert realigned.beyond_control.half == pytest.approx(0.127062, abs=1e-5)
    assert [row.told_apart and round(row.told_apart.mean, 6) for row in (realigned, control)] == [0.61, 0.71]
    assert summary.missing == ("elicit, seeds 0, 1: round 2 of re-alignment",)
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert "round 1, re-aligned" in words
    assert "+0.11" in words
    console = Console(record=True, width=80, file=io.StringIO())
    print_summary(summary, console)
    assert "round 1, re-aligned" in console.export_text()


def test_the_page_loads_nothing_and_escapes_what_people_said(demo: tuple[Path, str], full: tuple[Path, str]) -> None:
    for _, html in (demo, full):
        page = Page(html)
        assert page.loads == []
        assert not page.tags & {"script", "link", "iframe", "object", "embed", "img", "base"}
        assert "http://" not in html
        assert "https://" not in html
        assert "@import" not in html
        assert len(page.ids) == len(set(page.ids))
        assert set(re.findall(r"url\(#([^)]+)\)", html)) | {link[1:] for link in page.links} <= set(page.ids)
        assert re.findall(r"url\((?!#)", html) == []
    assert "a latte <script>alert(1)</script> & <b>milk</b>" in Page(demo[1]).words
    assert "<script" not in demo[1]


def test_plots_are_there_where_the_files_are(demo: tuple[Path, str], full: tuple[Path, str]) -> None:
    labels = re.findall(r'aria-label="([^"]*)"', demo[1])
    assert [label.split(" ")[0] for label in labels] == [
        "Reward", "Reward", "Learning", "Context", "interactive:", "calibrated:"
    ]  # fmt: skip
    assert "How bad must the simulated user be?" not in full[1]


def test_the_page_says_whether_training_had_levelled_off(tmp_path: Path) -> None:
    fake.write_cell(tmp_path, "elicit", 0)
    for metrics in tmp_path.glob("stages/elicit/seed0/oracle/metrics.jsonl"):
        rows = [{"step": step, "reward": step / 100, "entropy": 1.0} for step in range(30)]
        metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert "oracle +0.090 (0.090 to 0.090, still rising)" in words


def test_names_from_files_are_not_read_as_markup(tmp_path: Path) -> None:
    fake.write_cell(tmp_path, "my$task_$<i>[red]", 0)
    assert "my$task_$<i>[red]" in Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    out = io.StringIO()
    print_summary(summarise(tmp_path), Console(file=out, width=200))
    assert "my$task_$<i>[red]" in out.getvalue()


def test_the_stand_in_and_the_referee_are_named_as_what_they_are(
    demo: tuple[Path, str], full: tuple[Path, str]
) -> None:
    words = Page(demo[1]).words
    assert words.count(STAND_IN_NOTE) >= 2
    assert "prompted stand-in (severity 1)†" in words
    page = Page(full[1]).words
    assert "Where the shift comes from" in words
    referee_part = page[page.index("negotiate accuracy with") : page.index("How to read this page")]
    assert fake.REFEREE in referee_part
    assert "real users" not in referee_part


def test_a_programme_that_did_not_write_the_logs_is_named_as_what_it_is(tmp_path: Path) -> None:
    fake.write_manifest(tmp_path, ["maths"], [0])
    fake.write_cell(tmp_path, "maths", 0, judge_label=fake.PROGRAMME)
    fake.write_histories(tmp_path, "maths", 0, {"base": 0, "user-aligned": 1860, "user-unseen": 1860})
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert PROGRAMME_NOTE in words
    assert f"with {fake.PROGRAMME}" in words
    # As many as were counted; no rollout with the programme is one of these people's dialogues.
    assert "1,860 dialogues of people behind the models" in words
    assert "logged dialogues" not in words
    assert "logs behind the arm's models." in words
    out = io.StringIO()
    print_summary(summarise(tmp_path), Console(file=out, width=400))
    assert PROGRAMME_NOTE in out.getvalue()


def test_both_sources_of_the_shift_are_told_by_turn_with_what_would_have_been_seen(
    full: tuple[Path, str], tmp_path: Path
) -> None:
    page = Page(full[1]).words
    part = page[page.index("Where the shift comes from") : page.index("Both are measured for every agent")]
    rows = re.sub(r"\s+", " ", part.split("its own policy")[1])
    # Two seeds: told at turn 1 in one of them, later in both with the mean of their bounds.
    base = "base " + "0.51 not told " * 5
    assert base.replace(" ", "") in rows.replace(" ", "")
    calibrated = "calibrated0.50nottold0.531of2seeds0.70≥0.200.80≥0.300.90≥0.40"
    assert rows.replace(" ", "").count(calibrated) == 2, "the policy and the simulator"
    note = page[page.index("Both are measured for every agent") :][:900]
    assert "all turns of an arm together" in note
    assert "a total variation of 0.12 to 0.20, by turn, would have been seen" in note
    # In words, where both seeds show it: not at turn 1.
    assert "base: Its contexts were not told from those of the logs" in page
    said = page[page.index("calibrated: With real users") :][:600]
    assert "at turns 2, 3, 4, by a total variation of at least 0.40 at turn 4: train it on its own." in said
    assert "at turns 2, 3, 4, by a total variation of at least 0.40 at turn 4: align the user more" in said
    fake.write_manifest(tmp_path, ["elicit"], [0])
    fake.write_cell(tmp_path, "elicit", 0, earlier=True)
    older = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    note = older[older.index("Both are measured for every agent") :][:900]
    assert "each turn by itself" in note
    assert "would have been seen" not in note


def test_a_corpus_is_as_large_as_was_counted_not_as_the_config_says(demo: tuple[Path, str], tmp_path: Path) -> None:
    def ran(*families: str) -> str:
        fake.write_manifest(tmp_path, families, [0])
        words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
        return words[words.index("RL steps per arm") : words.index("dialogues per judgement")]

    parts = {"base": 1068, "user-aligned": 1709, "user-referee": 1495, "user-unseen": 1709}
    fake.write_cell(tmp_path, "negotiate", 0, judge_label=fake.REFEREE)
    assert "logged dialogues" not in ran("negotiate")
    fake.write_histories(tmp_path, "negotiate", 0, {"base": 1068, "user-aligned": 1709})
    assert "behind the models" not in ran("negotiate")  # a part is not all
    fake.write_histories(tmp_path, "negotiate", 0, parts)
    assert "4,272 dialogues of people behind the models" in ran("negotiate")
    assert "5,000" not in ran("negotiate")

    assert "5,000 logged dialogues" in Page(demo[1]).words
    fake.write_cell(tmp_path, "edit", 0)
    fake.write_histories(tmp_path, "edit", 0, {"base": 1500, "user-aligned": 3000})
    both = ran("edit", "negotiate")
    assert "5,000 logged dialogues4,272 dialogues of people behind the models" in both
    assert "4,500" not in both


def test_the_page_of_the_negotiations_counts_their_dialogues(tmp_path: Path) -> None:
    run = Path(__file__).resolve().parents[2] / "bench" / "results" / "negotiate"
    words = Page(build_report(run, out=tmp_path / "page.html").read_text(encoding="utf-8")).words
    assert "4,272 dialogues of people behind the models" in words
    assert "5,000 logged dialogues" not in words


def test_the_terminal_shows_the_same_numbers(demo: tuple[Path, str]) -> None:
    out = io.StringIO()
    print_summary(summarise(demo[0]), Console(file=out, width=80))
    shown = out.getvalue()
    assert headline(summarise(demo[0])) in shown
    row = next(line.split() for line in shown.splitlines() if line.split()[:1] == ["calibrated"])
    assert row == ["calibrated", "0.510", "0.610", "±0.030", "0.630", "70%", "0.520", "22%", "4,500"]
    assert "dialogues" in shown  # nothing is cut at 80 columns
    assert "…" not in shown
    assert "designed in" in shown


def test_sweeps_do_not_stand_in_for_the_arms(demo: tuple[Path, str]) -> None:
    (family,) = summarise(demo[0]).families
    assert family.row("interactive").rewards["tuned"].mean == pytest.approx(0.15)
    assert family.row("calibrated").rewards["tuned"].mean == pytest.approx(0.61)


def test_the_whole_log_ends_the_log_size_curve(demo: tuple[Path, str]) -> None:
    from understudy.report.measured import log_size_points, severity_points
    from understudy.report.read import read_run

    cells = read_run(demo[0]).of("elicit")
    # 4,500 real dialogues of the arm against 1,600 with 100 logs: it was aligned on 3,000.
    assert [(x, real.mean) for x, _, real in log_size_points(cells)] == [
        (100, pytest.approx(0.35)), (300, pytest.approx(0.42)), (1000, pytest.approx(0.48)), (3000, pytest.approx(0.51))
    ]  # fmt: skip
    assert [(x, promised.mean) for x, promised, _ in severity_points(cells)] == [
        (0, 0.6), (0.25, 0.7), (0.5, 0.82), (0.75, 0.91), (1, 0.98)
    ]  # fmt: skip


def test_folders_without_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder"):
        summarise(tmp_path / "nowhere")
    fake.write_manifest(tmp_path / "begun", ["elicit"], [0])
    with pytest.raises(RunError, match=r"holds no result(?s:.)*-> "):
        build_report(tmp_path / "begun")
    assert not (tmp_path / "begun" / "report.html").exists()


def test_damaged_results_are_named(tmp_path: Path) -> None:
    fake.write_cell(tmp_path, "elicit", 0)
    broken = tmp_path / "stages/elicit/seed0/shift/result.json"
    whole = broken.read_text()
    broken.write_text(whole[:50])
    with pytest.raises(RunError, match=r"shift/result\.json: cannot be read"):
        summarise(tmp_path)
    broken.write_text(whole.replace('"seed": 0', '"seed": "zero"'))
    with pytest.raises(RunError, match=r"shift/result\.json: does not hold .*\(seed: "):
        summarise(tmp_path)


def test_figures_that_were_not_finite_are_shown_as_absent(tmp_path: Path) -> None:
    fake.write_cell(tmp_path, "elicit", 0)
    users = tmp_path / "stages/elicit/seed0/users/result.json"
    users.write_text(users.read_text().replace('"mean": 6.5', '"mean": null').replace('"low": 6.0', '"low": null'))
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert re.search(r"words per message ?– ?– ?– ?–", words)


def test_the_page_goes_where_it_is_told(tmp_path: Path) -> None:
    fake.write_cell(tmp_path / "run", "elicit", 0)
    assert build_report(tmp_path / "run", out=tmp_path / "again.html") == tmp_path / "again.html"
    assert not (tmp_path / "run" / "report.html").exists()
    # Without a manifest the page says so and shows what there is.
    assert "manifest.json is missing" in (tmp_path / "again.html").read_text()


def with_interaction(run: Path, arm: str, seed: int, tokens: float) -> None:
    """The arm's judgement again, with what its dialogues held."""
    result = fake.arm_result("elicit", seed, arm, fake.TUNED[arm])
    tuned = result.decoding["tuned"].model_copy(update={"interaction": fake.interaction(tokens)})
    result = result.model_copy(update={"decoding": {**result.decoding, "tuned": tuned}})
    fake.write_result(run, f"elicit/seed{seed}/judge-{arm}", result)


def test_tokens_turns_and_interactivity_stand_on_the_page_and_in_the_terminal(tmp_path: Path) -> None:
    fake.write_manifest(
        tmp_path, ["elicit"], [0], interactivity={"model": "some-llm", "price_in": 2.0, "price_out": 4.0}
    )
    fake.write_cell(tmp_path, "elicit", 0)
    with_interaction(tmp_path, "base", 0, 40.0)
    assert summarise(tmp_path).missing == ("elicit, seed 0: interactivity",)
    fake.write_interactivity(tmp_path, "elicit", 0, {"base": 0.3, "static": -1, "calibrated": 0.8})
    AnswerStore(tmp_path / "shared" / SCORES).put("one", Answer("{}", 1_000_000, 500_000))
    (family,) = (summary := summarise(tmp_path)).families
    assert summary.missing == ()
    base, static, calibrated = (family.row(arm) for arm in ("base", "static", "calibrated"))
    tokens = base.interaction["tokens"]
    assert (tokens.mean, tokens.low, tokens.high, tokens.over) == (40, 38, 42, "dialogues")
    assert (calibrated.interactivity.mean, calibrated.scored, calibrated.unscored) == (0.8, 48, 2)
    assert (static.interactivity, static.scored, static.unscored) == (None, 0, 50)
    assert static.interaction == {}
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    table = words[words.index("How the agents interact") : words.index("Learning curves")]
    assert "base4.24.0 to 4.440.038.0 to 42.00.3000.200 to 0.40048" in table
    assert "static–––0" in table
    assert "some-llm" in table
    assert "54 dialogues got no score" in table  # 2 + 50 + 2
    assert "1 scores of the judge of interactivity, 1,500,000 tokens, 4.00" in words  # 1 * 2 + .5 * 4
    out = io.StringIO()
    print_summary(summary, Console(file=out, width=80))
    rows = [line.split() for line in out.getvalue().splitlines() if line.split()[:1] == ["base"]]
    assert rows[1] == ["base", "4.2", "±0.2", "40.0", "±2.0", "0.300", "±0.100"]
    assert "…" not in out.getvalue()


def test_answers_that_were_cut_are_told_where_there_are_any(tmp_path: Path) -> None:
    fake.write_manifest(tmp_path, ["elicit"], [0])
    fake.write_cell(tmp_path, "elicit", 0)
    store = AnswerStore(tmp_path / "shared" / ANSWERS)
    store.put("whole", Answer("i want it all", 50, 5))
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert "1 answers of the prompted LLM, 55 tokens" in words
    assert "cut at" not in words
    store.put("cut", Answer("i want it", 50, 4, cut=True))
    store.put("unusable 1", Answer("", 50, 4, cut=True))  # it was asked for again, and is no answer
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert "2 answers of the prompted LLM, 163 tokens, 1 cut at the limit of tokens" in words


def test_dialogues_that_failed_in_training_are_told_where_there_are_any(tmp_path: Path) -> None:
    fake.write_manifest(tmp_path, ["elicit"], [0, 1])
    for seed in (0, 1):
        fake.write_cell(tmp_path, "elicit", seed)
    cell = tmp_path / "stages" / "elicit" / "seed0"
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert "could not be finished" not in words, "earlier versions did not count them"
    for arm, seed, failed in (("interactive", 0, 1200), ("interactive", 1, 34), ("oracle", 0, 0), ("calibrated", 1, 5)):
        log = MetricsLog(cell.parent / f"seed{seed}" / arm / "metrics.jsonl")
        log.append({"step": fake.STEPS, "reward": 0.5, "entropy": 1.0, "failed": failed})
        log.append({"step": fake.STEPS + 1, "reward": 0.5, "entropy": 1.0, "failed": 0})
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert "In training, dialogues that could not be finished were left out: interactive 1,234, calibrated 5." in words


def test_interaction_over_seeds_has_a_t_interval(tmp_path: Path) -> None:
    for seed, tokens in enumerate((40.0, 60.0)):
        fake.write_cell(tmp_path, "elicit", seed)
        with_interaction(tmp_path, "base", seed, tokens)
    found = summarise(tmp_path).families[0].row("base").interaction["tokens"]
    # t(.975, 1) * sd / sqrt(2) = 12.7062 * 10.
    assert (found.mean, found.high - found.mean) == (50, pytest.approx(127.062, abs=1e-3))


def test_results_of_earlier_versions_are_shown_without_what_they_lack(tmp_path: Path) -> None:
    """Three tasks, as they were written before there were these figures."""
    run = Path(__file__).resolve().parents[2] / "bench" / "results" / "seed0"
    words = Page(build_report(run, out=tmp_path / "x.html").read_text(encoding="utf-8")).words
    assert "How the agents interact" not in words
    assert "Calibrated recovered" in words
    summary = summarise(run)
    assert [f.name for f in summary.families] == ["elicit", "edit", "haggle"]
    assert all(row.interaction == {} and row.interactivity is None for f in summary.families for row in f.arms)
    out = io.StringIO()
    print_summary(summary, Console(file=out, width=80))
    assert "per dialogue" not in out.getvalue()


def test_the_multiturn_aware_arm_has_a_place_of_its_own(tmp_path: Path) -> None:
    arms = {**fake.TUNED, "multiturn-aware": 0.5}
    fake.write_manifest(tmp_path, ["elicit"], [0], arms=list(arms))
    fake.write_cell(tmp_path, "elicit", 0, tuned=arms)
    (family,) = (summary := summarise(tmp_path)).families
    assert [row.arm for row in family.arms] == list(ARMS)
    assert family.difference("calibrated", "multiturn-aware").estimate.mean == pytest.approx(0.11)
    assert summary.missing == ("elicit, seed 0: learning curve of multiturn-aware",)
    words = Page(build_report(tmp_path).read_text(encoding="utf-8")).words
    assert "scored by continuations with the aligned user" in words
    assert "of what follows its messages in logged contexts" in words
    out = io.StringIO()
    print_summary(summary, Console(file=out, width=80))
    assert "multiturn-aware" in out.getvalue()
    assert "…" not in out.getvalue()
