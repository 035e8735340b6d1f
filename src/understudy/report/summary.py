"""The numbers of a run: what the page and the terminal table show, computed from the result files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.config import ARMS
from understudy.report.compared import DECODINGS, Difference, Judged, differences, recovered_shares
from understudy.report.estimate import Estimate, of_intervals, of_scores, over_seeds
from understudy.report.palette import is_programme, is_referee
from understudy.report.read import CellData, RunData, read_run
from understudy.report.rounds import RoundRow, round_rows
from understudy.results import ArmResult, Figure, Interactivity, Score


@dataclass(frozen=True)
class ArmRow:
    """One arm of one family over its judged seeds.

    Attributes:
        seeds: those in which the arm was judged.
        rewards: with the judging user, by decoding (`T=1`, `tuned`, `greedy`).
        tuned: of each seed, at tuned decoding.
        temperatures: tuned temperatures of the seeds, each once; 0 is greedy.
        recovered: share of the oracle's gain over base by decoding (1 is all of it; see `recovered_shares`).
        training_user: in words; None if the arm met nobody.
        in_training: reward over the last steps of training (sampled at T=1); None for arms without RL.
        walked_out, turns, failed, endings: at tuned decoding; means over seeds, `failed` and `endings` summed.
        failed_in_training: dialogues that training had to leave out, over all seeds.
        details: the family's further figures and the agent's turns at tuned decoding, over seeds.
        beyond_base: the same less base's, paired over seeds; empty for base itself and without it.
        heard: the agent's perplexity to the referee by decoding; empty where no referee judged.
        of_people: the agent's own perplexity on held-out people, likewise.
        cost: means over seeds by name of `Cost`'s fields.
        interaction: the agent's `turns`, `words` and `tokens` per dialogue at tuned decoding; without `tokens` where the agent
            is no model, empty for results of earlier versions.
        interactivity: as an LLM judges it (tuned decoding), from 0 to 1; None where none did.
        scored, unscored: dialogues that it judged, and that it gave no score for, over all seeds.
    """

    arm: str
    seeds: tuple[int, ...]
    rewards: Mapping[str, Estimate]
    tuned: tuple[float, ...]
    temperatures: tuple[float, ...]
    recovered: Mapping[str, Estimate]
    training_user: str | None
    in_training: Estimate | None
    walked_out: float
    turns: float
    failed: int
    failed_in_training: int
    endings: Mapping[str, int]
    details: Mapping[str, Estimate]
    beyond_base: Mapping[str, Estimate]
    heard: Mapping[str, Estimate]
    of_people: Estimate | None
    cost: Mapping[str, float]
    interaction: Mapping[str, Estimate]
    interactivity: Estimate | None
    scored: int
    unscored: int


@dataclass(frozen=True)
class FamilySummary:
    """One task family; `people` is who judged, in words, `expected` the seeds of the config, `rounds` of re-alignment."""

    name: str
    people: str
    reward_name: str
    reward_max: float
    arms: tuple[ArmRow, ...]
    differences: tuple[Difference, ...]
    finished: tuple[int, ...]
    expected: tuple[int, ...]
    rounds: tuple[RoundRow, ...] = ()

    @property
    def referee(self) -> bool:
        return is_referee(self.people)

    @property
    def programme(self) -> bool:
        return is_programme(self.people)

    @property
    def one_seed(self) -> bool:
        return max(len(row.seeds) for row in self.arms) == 1

    @property
    def counted(self) -> str:
        """What an agent's words are counted in: `tokens`, or `words` where no agent is a model; empty if they were not."""
        return next((unit for unit in ("tokens", "words") if any(unit in row.interaction for row in self.arms)), "")

    @property
    def interactivity_judged(self) -> bool:
        """Whether an LLM was asked how interactive the agents are."""
        return any(row.scored or row.unscored for row in self.arms)

    def row(self, arm: str) -> ArmRow | None:
        return next((row for row in self.arms if row.arm == arm), None)

    def difference(self, arm: str, other: str, decoding: str = "tuned") -> Difference | None:
        wanted = (arm, other, decoding)
        return next((d for d in self.differences if (d.arm, d.other, d.decoding) == wanted), None)


@dataclass(frozen=True)
class Summary:
    """The run's numbers.

    Attributes:
        run: name of the run folder.
        families: those with at least one judged agent.
        missing: what is not there yet, one line per family and set of seeds that lack the same.
        illustrative: why the figures are only illustrative; None if they are not.
    """

    run: str
    families: tuple[FamilySummary, ...]
    missing: tuple[str, ...]
    illustrative: str | None


def summarise(run: Path, *others: Path) -> Summary:
    """The numbers of a run folder, finished or not, or of several as one (see `read_run`).

    Raises:
        RunError: if there is no result, or a damaged one.
    """
    return summary_of(read_run(run, *others))


def summary_of(data: RunData) -> Summary:
    """The same from a run that has been read already."""
    families = tuple(_family(name, data.of(name)) for name in data.families if any(cell.arms for cell in data.of(name)))
    missing = tuple(_missing(data))
    return Summary(data.path.resolve().name, families, missing, _illustrative(data))


def _missing(data: RunData) -> list[str]:
    """One line per family and set of missing results, naming the seeds."""
    lines = []
    for name in data.families:
        seeds: dict[tuple[str, ...], list[str]] = {}
        for cell in data.of(name):
            if cell.missing:
                what = cell.missing if cell.arms else ("nothing judged yet",)
                seeds.setdefault(what, []).append(str(cell.seed))
        for what, found in seeds.items():
            lines.append(f"{name}, {'seed' if len(found) == 1 else 'seeds'} {', '.join(found)}: {', '.join(what)}")
    return lines


def _illustrative(data: RunData) -> str | None:
    seeds = {cell.seed for cell in data.cells}
    if len(seeds) > 1:
        return None
    rl = data.config.get("rl")
    steps = rl.get("steps") if isinstance(rl, Mapping) else None
    parts = ["one seed"]
    if steps is not None:
        parts.append(f"{steps} RL steps per arm")
    return f"illustrative: {', '.join(parts)}"


def _family(name: str, cells: Sequence[CellData]) -> FamilySummary:
    by_arm: dict[str, dict[int, ArmResult]] = {}
    for cell in cells:
        for arm, result in cell.arms.items():
            by_arm.setdefault(arm, {})[cell.seed] = result
    names = [arm for arm in ARMS if arm in by_arm] + sorted(set(by_arm) - set(ARMS))
    first = next(iter(by_arm[names[0]].values()))
    return FamilySummary(
        name=name,
        people=first.judge_label,
        reward_name=first.reward_name,
        reward_max=first.reward_max,
        arms=tuple(_row(arm, by_arm, cells) for arm in names),
        differences=differences(by_arm),
        finished=tuple(cell.seed for cell in cells if cell.all_judged),
        expected=tuple(cell.seed for cell in cells),
        rounds=round_rows(cells),
    )


def _row(arm: str, by_arm: Judged, cells: Sequence[CellData]) -> ArmRow:
    results, judged = list(by_arm[arm].values()), _judged(cells, arm)
    tuned = [r.decoding["tuned"] for r in results]
    rewards = {}
    for decoding in DECODINGS:
        estimate = of_scores([r.decoding[decoding] for r in results if decoding in r.decoding])
        if estimate is not None:
            rewards[decoding] = estimate
    endings: dict[str, int] = {}
    for score in tuned:
        for ending, count in score.endings.items():
            endings[ending] = endings.get(ending, 0) + count
    heard = [r.language.heard for r in results if r.language is not None]
    costs = [r.cost.to_json() for r in results]
    return ArmRow(
        arm=arm,
        seeds=tuple(by_arm[arm]),
        rewards=rewards,
        tuned=tuple(score.reward for score in tuned),
        temperatures=tuple(sorted({r.tuned_temperature for r in results})),
        recovered=recovered_shares(arm, by_arm),
        training_user=next((r.training_user for r in results if r.training_user is not None), None),
        in_training=over_seeds([r.training_reward for r in results if r.training_reward is not None]),
        walked_out=_mean([s.walked_out_share for s in tuned]),
        turns=_mean([s.turns for s in tuned]),
        failed=sum(s.failed for s in tuned),
        failed_in_training=sum(int(row.get("failed", 0)) for cell in cells for row in cell.metrics.get(arm, ())),
        endings=endings,
        details=_over_seeds([_details(score) for score in tuned]),
        beyond_base={} if arm == "base" else _beyond(by_arm[arm], by_arm.get("base", {})),
        heard=_over_seeds([{name: figure.mean for name, figure in by_decoding.items()} for by_decoding in heard]),
        of_people=over_seeds([r.language.of_people for r in results if r.language is not None]),
        cost=_over_all(costs),
        interaction=_interaction(tuned),
        interactivity=_of_figures([found.score for found in judged]),
        scored=sum(found.n for found in judged),
        unscored=sum(found.missing for found in judged),
    )


def _over_all(costs: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    """Means of what every seed has noted."""
    noted = {key: [value for cost in costs if (value := cost.get(key)) is not None] for key in costs[0]}
    return {key: _mean(values) for key, values in noted.items() if len(values) == len(costs)}


def _judged(cells: Sequence[CellData], arm: str) -> list[Interactivity]:
    return [c.interactivity.arms[arm] for c in cells if c.interactivity is not None and arm in c.interactivity.arms]


def _interaction(scores: Sequence[Score]) -> dict[str, Estimate]:
    measured = [score.interaction for score in scores if score.interaction is not None]
    figures: dict[str, Sequence[Figure | None]] = {
        "turns": [found.turns for found in measured],
        "words": [found.words for found in measured],
        "tokens": [found.tokens for found in measured],
    }
    return {name: e for name, found in figures.items() if (e := _of_figures(found)) is not None}


def _of_figures(figures: Sequence[Figure | None]) -> Estimate | None:
    """Over the seeds that have one."""
    found = [(f.mean, f.low, f.high) for f in figures if f is not None]
    return of_intervals(found) if found else None


def _details(score: Score) -> dict[str, float]:
    return {**score.details, "agent_turns": score.turns} if score.details else {}


def _over_seeds(seeds: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Figures by name, over the seeds that have each."""
    names = dict.fromkeys(name for figures in seeds for name in figures)
    found = {name: over_seeds([figures[name] for figures in seeds if name in figures]) for name in names}
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def _beyond(arm: Mapping[int, ArmResult], base: Mapping[int, ArmResult]) -> dict[str, Estimate]:
    pairs = [(_details(arm[s].decoding["tuned"]), _details(base[s].decoding["tuned"])) for s in arm if s in base]
    return _over_seeds([{name: mine[name] - start[name] for name in mine if name in start} for mine, start in pairs])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
