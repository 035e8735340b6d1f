"""The parts of a data set, such as `train` and `test`: in a folder, or by name from Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from understudy.config import hub_name, on_hub
from understudy.errors import LogError
from understudy.logs.sources.columnar import hub_records, hub_splits
from understudy.logs.sources.files import raw_records
from understudy.logs.sources.raw import Raw


def part_records(data: Path, part: str, *, fix: str) -> Iterator[Raw]:
    """The records of one part, in order.

    Args:
        data: a folder (see `part_files`), or `hub:owner/name` or `hub:owner/name:config`, whose splits are the parts.
        fix: what an error says to do.

    Raises:
        LogError: if the part is missing or there twice, or cannot be read at all.
    """
    if on_hub(data):
        name, config = hub_name(data)
        yield from hub_records(name, part, config)
        return
    for file in part_files(data, part, fix=fix):
        yield from raw_records(file)


def has_part(data: Path, part: str, *, texts: bool = False) -> bool:
    """Whether a data set has this part, in whatever form; of one by name, without reading any of it.

    Args:
        texts: see `part_files`.

    Raises:
        LogError: if a data set by name cannot be had.
    """
    return part in hub_splits(*hub_name(data)) if on_hub(data) else bool(_forms(data, part, texts))


def part_files(folder: Path, part: str, *, fix: str, texts: bool = False) -> list[Path]:
    """`part.jsonl`; or `part.parquet` or `part-*.parquet`, there or in `data/` as Hugging Face keeps them.

    Args:
        texts: whether it may also be the `.txt` files of a folder `part/`.

    Raises:
        LogError: if the part is missing, or there in two of these forms.
    """
    if not folder.is_dir():
        raise LogError("is no folder" if folder.exists() else "does not exist", where=str(folder), fix=fix)
    found = _forms(folder, part, texts)
    if not found:
        raise LogError(f"holds no part {part!r}", where=str(folder), fix=fix)
    if len(found) > 1:
        names = " and ".join(form[0].relative_to(folder).as_posix() for form in found)
        raise LogError(f"holds part {part!r} more than once: {names}", where=str(folder), fix="leave one of them there")
    written = folder / part
    if found[0] != [written]:
        return found[0]
    files = sorted(written.glob("*.txt"))
    if not files:
        raise LogError("holds no .txt file", where=str(written), fix=fix)
    return files


def _forms(folder: Path, part: str, texts: bool) -> list[list[Path]]:
    """The forms in which the part is there, each as its files, or as the folder of its texts."""
    lines, written = folder / f"{part}.jsonl", folder / part
    patterns = [f"{place}{part}{rest}.parquet" for place in ("", "data/") for rest in ("", "-*")]
    tables = sorted(path for pattern in patterns for path in folder.glob(pattern))
    forms = [[lines] if lines.exists() else [], tables, [written] if texts and written.is_dir() else []]
    return [form for form in forms if form]
