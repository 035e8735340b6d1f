"""`understudy align` as a run: logs in any form, made ready where they are not, a user fitted on them, and its card."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, field_validator

from understudy.config import HUB_PREFIX, ModelConfig, SFTConfig
from understudy.config.base import StageConfig
from understudy.errors import LogError
from understudy.logs.importing import ImportSummary
from understudy.logs.personal_data import finders
from understudy.logs.scrub import ScrubSummary, read_names
from understudy.logs.sources import files_of
from understudy.logs.splitting import SplitSummary
from understudy.realism.card import UserCard
from understudy.runs import RunFolder, atomic_folder, disk_errors, write_json
from understudy.scheduler import Stage

T = TypeVar("T")

IMPORTED, SCRUBBED, SPLIT, DESCRIBED = "imported", "scrubbed", "split", "described"
"""Only where the logs are not split yet."""
USER, CARD = "user", "card"
ALIGN, HELD_OUT = "align", "heldout"
"""The parts of a split."""
REGION = "US"
SHARES = {ALIGN: 0.8, HELD_OUT: 0.2}
PAGE = "logs.html"

_STAGES = "understudy.pipeline.own_logs"


class AlignConfig(StageConfig):
    """What a user is fitted on, and how."""

    logs: tuple[str, ...]
    """Files, folders and data sets by name, as `import_logs` reads them; or one folder of `understudy logs split`."""
    format: str | None
    """See `import_logs`."""
    columns: dict[str, str] | None
    """What columns of tables are called -> what they are."""
    keep_duplicates: bool
    """Whether conversations with the same words are different ones."""
    names: Path | None
    """File of persons' names to be scrubbed as well, one per line."""
    region: str
    """Country whose national phone numbers are known, such as US or DE."""
    heard_words: int | None
    """See `as_dialogue`."""
    seed: int
    """Of the split, of validation and of the model."""
    user_model: ModelConfig
    sft: SFTConfig

    @field_validator("logs")
    @classmethod
    def _as_one_writes_paths(cls, logs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(path if path.startswith(HUB_PREFIX) else str(Path(path)) for path in logs)

    @property
    def are_split(self) -> bool:
        """Whether the logs are a folder of `understudy logs split`."""
        return len(self.logs) == 1 and (Path(self.logs[0]) / f"{ALIGN}.jsonl").is_file()

    def inputs(self) -> list[Path]:
        """What the user depends on and is at hand; what a stage would find wrong after minutes is found here.

        Raises:
            LogError: if some of the logs or the names are not there, there is no such region, or logs are split and lack
                those held out, or are to be imported and scrubbed all the same.
            ModelError: if the model to start from is neither a folder nor one that can be reached by its name.
        """
        found = self._splits() if self.are_split else self._raw_logs()
        base = self.user_model.base
        if base and Path(base).is_dir():
            return [*found, Path(base)]
        if base:
            from understudy.models.load import refuse_unreachable

            model = self.user_model
            refuse_unreachable(base, model.revision, remote_code=model.remote_code)
        return found

    def _splits(self) -> list[Path]:
        folder = Path(self.logs[0])
        given = {"--format": self.format, "--columns": self.columns, "--keep-duplicates": self.keep_duplicates}
        for option, value in {**given, "--names": self.names, "--region": self.region != REGION}.items():
            if value:
                raise LogError(
                    f"{self.logs[0]} is split already, and is neither imported nor scrubbed again",
                    where=option,
                    fix="leave the option out, or give the logs as they were before `logs import`",
                )
        if not (folder / f"{HELD_OUT}.jsonl").is_file():
            raise LogError(
                f"has {ALIGN}.jsonl, but no {HELD_OUT}.jsonl to measure the user on",
                where=self.logs[0],
                fix=f"split again with a share for {HELD_OUT}",
            )
        return [folder / f"{part}.jsonl" for part in SHARES]

    def _raw_logs(self) -> list[Path]:
        finders(read_names(self.names) if self.names else (), self.region)
        files = [file for path in self.logs if not path.startswith(HUB_PREFIX) for file in files_of(Path(path))[0]]
        return [*files, self.names] if self.names else files


def refuse_inside(out: Path, logs: Sequence[str]) -> None:
    """A run among the logs would be read as logs when it goes on.

    Raises:
        LogError: if `out` lies in a folder of logs.
    """
    for path in logs:
        if not path.startswith(HUB_PREFIX) and Path(path).resolve() in out.resolve().parents:
            raise LogError(f"lies in {path}, among the logs", where=str(out), fix="use another --out")


def align_plan(config: AlignConfig) -> list[Stage]:
    """The stages, one after the other."""
    kwargs = {"config": config}

    def stage(name: str, function: str, label: str, *needs: str) -> Stage:
        return Stage(name, needs, f"{_STAGES}:{function}", kwargs, label=label)

    ready = [] if config.are_split else [SPLIT]
    fitted = [
        stage(USER, "fit_user", "the user fitted", *ready),
        stage(CARD, "measure_user", "the user measured on held-out people", USER, *ready),
    ]
    if config.are_split:
        return fitted
    return [
        stage(IMPORTED, "import_", "logs read and checked"),
        stage(SCRUBBED, "scrub", "personal data replaced", IMPORTED),
        stage(SPLIT, "split", "split by person", SCRUBBED),
        stage(DESCRIBED, "describe", "logs described", SCRUBBED),
        *fitted,
    ]


@dataclass(frozen=True)
class Prepared:
    """What became of logs on their way to a user."""

    imported: ImportSummary
    scrubbed: ScrubSummary
    split: SplitSummary
    page: Path
    """What they are like."""


def prepared_in(run: RunFolder, config: AlignConfig) -> Prepared | None:
    """Of a finished run; None where the logs were split before."""
    if config.are_split:
        return None
    return Prepared(
        _of(ImportSummary, run, IMPORTED),
        _of(ScrubSummary, run, SCRUBBED),
        _of(SplitSummary, run, SPLIT),
        run.stage(DESCRIBED) / PAGE,
    )


def finish_align(run: RunFolder) -> UserCard:
    """Put `model/` and `card.json` at the top of a run whose stages are finished; `model/` is a link where there are links.

    Raises:
        RunError: if they cannot be written.
    """
    model = run.path / "model"
    with disk_errors(model):
        if not model.exists():
            try:
                model.symlink_to(run.stage(USER).relative_to(run.path) / "model", target_is_directory=True)
            except OSError:  # a system, or a disk, without links
                with atomic_folder(model) as unfinished:
                    shutil.copytree(run.stage(USER) / "model", unfinished, dirs_exist_ok=True)
    card = _of(UserCard, run, CARD)
    write_json(run.path / "card.json", asdict(card))
    return card


def _of(kind: type[T], run: RunFolder, stage: str) -> T:
    return TypeAdapter(kind).validate_python(run.result(stage))
