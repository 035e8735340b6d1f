"""Which stages a comparison has and what each needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from understudy.config import CompareConfig, ModelConfig
from understudy.errors import ConfigError
from understudy.pipeline.cell import ALIGNED, LOG_ARMS, PROMPTED, REFEREE, REFEREE_LOGS, UNSEEN, Cell, copying_stage
from understudy.pipeline.log_parts import refuse_empty_parts
from understudy.pipeline.peoples_logs import check_peoples_logs
from understudy.scheduler import Stage
from understudy.tasks import is_known, load_family
from understudy.tasks.base import TaskFamily

# Stage functions live in modules that import torch; they are imported by name inside the worker processes.
_FITTING, _ALIGNING, _REFEREE, _MEETING, _TRAINING, _JUDGING, _MEASURING, _INTERACTIVITY = (
    f"understudy.pipeline.{m}"
    for m in ("fitting", "aligning", "referee", "meeting", "training", "judging", "measuring", "interactivity")
)


def cells_of(config: CompareConfig) -> list[Cell]:
    return [Cell(config, family, seed) for seed in config.seeds for family in config.families]


def check_comparison(config: CompareConfig) -> None:
    """What a comparison needs beyond a valid config; every family is made once, before any stage runs.

    Raises:
        ConfigError: if a family is unknown, cannot be made or has neither a population nor a corpus; an arm has no user; some
            models are pretrained and others are not; a part of the logs would have nobody; or the sweep over log sizes asks for
            more dialogues than the alignment part will hold.
        LogError: if a family's data folder lacks what it needs, or people's dialogues (`logs.path`) do.
    """
    _refuse_mixed_starts(config)
    for name in config.families:
        family = load_family(name, config.data)
        if not is_known(name) and not (hasattr(family, "corpus") and hasattr(family, "for_judging")):
            raise ConfigError(
                f"{name!r} has neither a population nor a corpus of people's dialogues",
                where="families",
                fix="see docs/tasks.md for what a task family of your own needs",
            )
        if "interactive" in config.arms and config.prompted.model is None and not hasattr(family, "prompted_reply"):
            raise ConfigError(
                f"the interactive arm needs a prompted user, and {name!r} has no stand-in for one",
                where="arms",
                fix="leave interactive out, name a prompted LLM (prompted.model), or give the family `prompted_reply`",
            )
        if "static" in config.arms and getattr(type(family), "final_act", None) is TaskFamily.final_act:
            raise ConfigError(
                f"the static arm needs logged acts whose outcome is known, and {name!r} has none (it has no `final_act`)",
                where="arms",
                fix="leave static out, or give the family `final_act` and `final_act_reward` (docs/tasks.md)",
            )
    if "negotiate" in config.families and config.prompted.model is not None and config.prompted.prompt is None:
        raise ConfigError(
            "the package's prompt does not tell an LLM how a negotiation is closed",
            where="prompted.prompt",
            fix="give a Jinja file that tells it to write <selection> and what it takes (docs/tasks.md)",
        )
    if config.logs.path is not None:
        check_peoples_logs(config)
    else:
        _check_written_logs(config)


def _check_written_logs(config: CompareConfig) -> None:
    """Whether the logs that programmes will write are enough; of a corpus, its stage knows."""
    if any(map(is_known, config.families)):
        refuse_empty_parts(config.logs, config.logs.people)
    if config.realignment.rounds and not any(map(is_known, config.families)):
        raise ConfigError(
            "in re-alignment people meet the agent, and none of the families has people that can be called",
            where="realignment.rounds",
            fix="set it to 0, or add a family with known users (elicit, edit, haggle)",
        )
    held = round(config.logs.dialogues * config.logs.align_share)
    if config.log_sizes and max(config.log_sizes) > held:
        raise ConfigError(
            f"log_sizes holds {max(config.log_sizes)}, more than the alignment part's {held} dialogues",
            where="log_sizes",
            fix="lower it, or raise logs.dialogues or logs.align_share",
        )


def _refuse_mixed_starts(config: CompareConfig) -> None:
    """One section fits all models: what suits a pretrained one leaves a new one as it was."""
    others: dict[str, ModelConfig] = {"unseen_user_model": config.unseen_user_model}
    if not all(map(is_known, config.families)):
        others["referee_model"] = config.referee_model
    for key, model in others.items():
        if (config.model.base or config.user_model.base) and not model.base:
            raise ConfigError(
                "is not given, but other models are pretrained: at their rate it would stay untrained",
                where=f"{key}.base",
                fix="give it as well, for example a smaller model of another family",
            )


def training_user(cell: Cell, arm: str) -> str | None:
    """Label of the user that answers an arm in training; None for arms that only read logs."""
    users = {"multiturn-aware": ALIGNED, "interactive": PROMPTED, "calibrated": ALIGNED, "oracle": cell.people}
    return users.get(arm)


def plan(config: CompareConfig) -> list[Stage]:
    """All stages of a comparison, in an order that respects their needs."""
    cells = cells_of(config)
    # Cells are finished one after the other, so that a run that was stopped holds whole ones.
    ordered = [replace(stage, priority=-place) for place, cell in enumerate(cells) for stage in _stages_of(cell)]
    starts = {copying_stage(model): model for cell in cells for model in _made_from_scratch(cell)}
    return [*(_copying(config, name, model) for name, model in starts.items()), *ordered]


def _made_from_scratch(cell: Cell) -> list[ModelConfig]:
    """The shapes of models that learn to copy before they see a dialogue."""
    config = cell.config
    shapes = [config.model, config.user_model, config.unseen_user_model]
    return [model for model in (*shapes, *([] if cell.known else [config.referee_model])) if not model.base]


def _copying(config: CompareConfig, name: str, model: ModelConfig) -> Stage:
    """Its seed is fixed: like a downloaded model, agents and users of this shape share it over the whole run."""
    return Stage(
        name=name,
        needs=(),
        run=f"{_FITTING}:teach_copying",
        kwargs={"model": model, "steps": config.sft.copying_steps, "seed": 0},
        label=f"copying ({model.hidden} wide)",
        priority=1,
    )


def _stages_of(cell: Cell) -> list[Stage]:
    """All stages of one cell, in an order that respects their needs."""
    return [*_shared(cell), *_arms(cell), *_measurements(cell), *_severities(cell), *_log_sizes(cell), *_rounds(cell)]


def user_stages(cell: Cell) -> list[str]:
    labels = [ALIGNED, UNSEEN] if cell.known else [ALIGNED, UNSEEN, REFEREE]
    return [cell.stage(f"user-{label}") for label in labels]


def _stage(cell: Cell, name: str, function: str, needs: list[str], title: str, **kwargs: object) -> Stage:
    return Stage(
        name=cell.stage(name),
        needs=tuple(dict.fromkeys(needs)),
        run=function,
        kwargs={"cell": cell, **kwargs},
        label=f"{cell.family_name} {cell.seed}: {title}",
    )


def _shared(cell: Cell) -> Iterator[Stage]:
    config, logs = cell.config, [cell.stage("logs")]
    yield _stage(cell, "logs", f"{_FITTING}:make_logs", [], "logs")
    needs = [*logs, *([] if config.model.base else [copying_stage(config.model)])]
    yield _stage(cell, "base", f"{_FITTING}:fit_base", needs, "agent base (SFT)")
    yield _align(cell, ALIGNED, "aligned user", part="align", model=config.user_model)
    if not cell.known:
        yield from _referee(cell)
    yield _align(cell, UNSEEN, "unseen user", part="align", model=config.unseen_user_model)
    if "control" in config.arms:
        yield _stage(cell, "control", f"{_FITTING}:fit_further", [*logs, cell.stage("base")], "control (more SFT)")


def _referee(cell: Cell) -> Iterator[Stage]:
    names = [f"{REFEREE}-{place}" for place in range(cell.config.referee.candidates)]
    for name in names:
        model = cell.config.referee_model
        title = f"{REFEREE}: candidate {name[len(REFEREE) + 1 :]}"
        yield _align(cell, name, title, part=REFEREE_LOGS, model=model, held_out=REFEREE, judges=True)
    stages = tuple(cell.stage(f"user-{name}") for name in names)
    needs = [cell.stage("logs"), *stages]
    function = f"{_REFEREE}:choose_referee"
    yield _stage(cell, f"user-{REFEREE}", function, needs, f"{REFEREE}: members", candidates=stages)


def _align(
    cell: Cell,
    label: str,
    title: str,
    *,
    part: str,
    model: ModelConfig,
    met: tuple[str, ...] = (),
    name: str = "",
    **kwargs: object,
) -> Stage:
    """A new user model starts from one of its shape that was taught to copy, a pretrained one from its own base.

    Args:
        label: names its seeds.
        name: of the user; the label where it is empty.
    """
    start = None if model.base else copying_stage(model)
    return _stage(
        cell,
        f"user-{name or label}",
        f"{_ALIGNING}:align_user",
        [cell.stage("logs"), *met, *([start] if start else [])],
        title,
        part=part,
        model=model,
        label=label,
        start=start,
        met=met,
        **kwargs,
    )


def _arms(cell: Cell) -> Iterator[Stage]:
    for arm in cell.config.arms:
        if arm not in LOG_ARMS:
            yield _train(cell, arm, arm, training_user(cell, arm), arm)
        yield _judge(cell, f"judge-{arm}", arm, cell.stage(arm), training_user(cell, arm), f"{arm}: judge")


def _train(
    cell: Cell,
    name: str,
    arm: str,
    user: str | None,
    label: str,
    severity: float = 1.0,
    start: str | None = None,
    rounds: int = 0,
) -> Stage:
    needs = [cell.stage("logs"), start or cell.stage("base")]
    if user is not None and (stage := cell.user_stage(user)) is not None:
        needs.append(stage)
    return _stage(
        cell,
        name,
        f"{_TRAINING}:train_arm",
        needs,
        f"{label}: train",
        arm=arm,
        user=user,
        severity=severity,
        start=start,
        rounds=rounds,
    )


def _judge(
    cell: Cell,
    name: str,
    arm: str,
    agent_stage: str,
    user: str | None,
    label: str,
    *,
    earlier: tuple[str, ...] = (),
    **kwargs: object,
) -> Stage:
    needs = [cell.stage("logs"), cell.stage("base"), *earlier, agent_stage, *user_stages(cell)]
    if user is not None and (stage := cell.user_stage(user)) is not None:
        needs.append(stage)
    return _stage(
        cell,
        name,
        f"{_JUDGING}:judge_arm",
        needs,
        label,
        arm=arm,
        agent_stage=agent_stage,
        training_user=user,
        earlier=earlier,
        **kwargs,
    )


def _measurements(cell: Cell) -> Iterator[Stage]:
    judged = {arm: cell.stage(f"judge-{arm}") for arm in cell.config.arms}
    base = [cell.stage("logs"), cell.stage("base"), *user_stages(cell)]
    yield _stage(cell, "users", f"{_MEASURING}:measure_users", base, "users: coherence", agent_stage=cell.stage("base"))
    needs = [cell.stage("logs"), *judged.values()]
    yield _stage(cell, "shift", f"{_MEASURING}:measure_shift", needs, "context shift", arms=judged)
    yield _stage(cell, "transcripts", f"{_JUDGING}:show_transcripts", list(judged.values()), "transcripts", arms=judged)
    if cell.config.interactivity.model is not None:
        function = f"{_INTERACTIVITY}:judge_interactivity"
        yield _stage(cell, "interactivity", function, list(judged.values()), "interactivity", arms=judged)


def _severities(cell: Cell) -> Iterator[Stage]:
    """The naive arm again, with the stand-in's failings graded; severity 1 is the interactive arm itself."""
    for severity in cell.config.severities:
        if severity == 1.0 or not cell.known:
            continue
        name = f"interactive-severity-{severity:g}"
        yield _train(cell, name, "interactive", PROMPTED, f"severity {severity:g}", severity)
        yield _judge(
            cell,
            f"judge-{name}",
            "interactive",
            cell.stage(name),
            PROMPTED,
            f"severity {severity:g}: judge",
            severity=severity,
        )


def _log_sizes(cell: Cell) -> Iterator[Stage]:
    """The calibrated arm again, with users aligned on fewer logs."""
    for size in cell.config.log_sizes:
        label = f"{size}-logs"
        model = cell.config.user_model
        yield _align(cell, label, f"user of {size} logs", part="align", model=model, dialogues=size)
        name = f"calibrated-logs-{size}"
        yield _train(cell, name, "calibrated", label, f"{size} logs")
        yield _judge(cell, f"judge-{name}", "calibrated", cell.stage(name), label, f"{size} logs: judge", log_size=size)


def _rounds(cell: Cell) -> Iterator[Stage]:
    """The calibrated arm gone on with: its user aligned again on what people said to it; the control keeps the user."""
    if not cell.known:  # whoever judges would hand out the dialogues as well
        return
    start = cell.stage("calibrated")
    agents = {True: start, False: start}
    met: list[str] = []
    earlier = {True: [start, cell.stage(f"user-{ALIGNED}")], False: [start]}
    for rounds in range(1, cell.config.realignment.rounds + 1):
        title, user, known = f"round {rounds}", f"realigned-{rounds}", agents[True]
        function = f"{_MEETING}:meet_people"
        words = f"{title}: people meet the agent"
        yield _stage(cell, f"met-{rounds}", function, [known], words, agent_stage=known, rounds=rounds)
        met.append(cell.stage(f"met-{rounds}"))
        yield _align(
            cell, ALIGNED, f"{title}: user", part="align", model=cell.config.user_model, met=tuple(met), name=user
        )
        for realigned, name, met_in_training in (
            (True, f"calibrated-realigned-{rounds}", user),
            (False, f"calibrated-continued-{rounds}", ALIGNED),
        ):
            words = f"{title}, {'re-aligned' if realigned else 'same user'}"
            start = agents[realigned]
            yield _train(cell, name, "calibrated", met_in_training, words, start=start, rounds=rounds)
            agents[realigned] = cell.stage(name)
            yield _judge(
                cell,
                f"judge-{name}",
                "calibrated",
                agents[realigned],
                met_in_training,
                f"{words}: judge",
                rounds=rounds,
                realigned=realigned,
                earlier=tuple(earlier[realigned]),
            )
            earlier[realigned] += [agents[realigned], *([cell.stage(f"user-{user}")] if realigned else [])]
