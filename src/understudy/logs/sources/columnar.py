"""Parquet and arrow files, and Hugging Face data sets by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from understudy.errors import LogError
from understudy.logs.sources.raw import OFTEN, OnPosition, Raw

_HUB = "pip install -e '.[hub]'"


def hub_records(
    name: str, split: str, config: str | None = None, on_records: OnPosition = lambda count: None
) -> Iterator[Raw]:
    """The records of a Hugging Face data set by its name (or of its folder), streamed.

    Args:
        config: of a data set that has several.
        on_records: called now and then, and at the end, with the records so far.

    Raises:
        LogError: if `datasets` is missing, or the data set or its split cannot be had.
    """
    with _datasets(name, config) as datasets:
        rows = datasets.load_dataset(name, config, split=split, streaming=True)
        place, number = f"{name}:{config}" if config else name, 0
        for number, row in enumerate(rows, 1):
            if number % OFTEN == 1:
                on_records(number)
            yield Raw(f"{place}:{split}:{number}", dict(row))
        on_records(number)


def hub_splits(name: str, config: str | None = None) -> list[str]:
    """The splits of such a data set.

    Raises:
        LogError: if `datasets` is missing, or the data set cannot be had.
    """
    with _datasets(name, config) as datasets:
        found: list[str] = datasets.get_dataset_split_names(name, config)
        return found


@contextmanager
def _datasets(name: str, config: str | None) -> Iterator[Any]:
    """The package, and its errors as ours."""
    try:
        import datasets
    except ImportError:
        raise LogError("data sets by name need the package `datasets`", where=name, fix=_HUB) from None
    try:
        yield datasets
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        said = " ".join((str(error) or type(error).__name__).splitlines()[:2])  # the configs are named on the second
        raise LogError(
            f"cannot be loaded: {said}",
            where=f"{name}:{config}" if config else name,
            fix="check the name, its config (hub:owner/name:config), its split and the network",
        ) from None


def columnar_rows(path: Path, suffix: str, on_bytes: OnPosition = lambda position: None) -> Iterator[Raw]:
    """The rows of a parquet or arrow file.

    Args:
        on_bytes: called for each batch of rows with about where it ends in the file.

    Raises:
        LogError: if `pyarrow` is missing, or the file is damaged.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise LogError("parquet and arrow files need the package `pyarrow`", where=str(path), fix=_HUB) from None
    number = 0
    try:
        for batch, end in _batches(arrow, parquet, path, suffix):
            on_bytes(end)
            for row in batch.to_pylist():
                number += 1
                yield Raw(f"{path}:row {number}", row)
    except arrow.ArrowInvalid as error:
        raise LogError(f"is damaged: {error}", where=str(path), fix="copy or export it again") from None


def _batches(arrow: Any, parquet: Any, path: Path, suffix: str) -> Iterator[tuple[Any, int]]:
    """Rows that are read at once, and about where they end in the file: by their share of it, where no position is known."""
    size = path.stat().st_size
    if suffix == ".parquet":
        with parquet.ParquetFile(path) as file:
            rows = 0
            for batch in file.iter_batches(batch_size=OFTEN):
                rows += batch.num_rows
                yield batch, size * rows // max(1, file.metadata.num_rows)
        return
    with arrow.memory_map(str(path)) as mapped:
        try:
            reader = arrow.ipc.open_stream(mapped)
            for batch in reader:
                yield batch, mapped.tell()
        except arrow.ArrowInvalid:  # the other of arrow's two layouts
            file = arrow.ipc.open_file(mapped)
            count = file.num_record_batches
            yield from ((file.get_batch(i), size * (i + 1) // count) for i in range(count))
