"""Parquet and arrow files, and Hugging Face data sets by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from understudy.errors import LogError
from understudy.logs.sources.raw import Raw

_HUB = "pip install -e '.[hub]'"


def hub_records(name: str, split: str, config: str | None = None) -> Iterator[Raw]:
    """The records of a Hugging Face data set by its name (or of its folder), streamed.

    Args:
        config: of a data set that has several.

    Raises:
        LogError: if `datasets` is missing, or the data set or its split cannot be had.
    """
    try:
        import datasets
    except ImportError:
        raise LogError("data sets by name need the package `datasets`", where=name, fix=_HUB) from None
    try:
        rows = datasets.load_dataset(name, config, split=split, streaming=True)
        for number, row in enumerate(rows, 1):
            yield Raw(f"{name}:{split}:{number}", dict(row))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise LogError(
            f"cannot be loaded: {(str(error) or type(error).__name__).splitlines()[0]}",
            where=name,
            fix="check the name, its split and the network",
        ) from None


def columnar_rows(path: Path, suffix: str) -> Iterator[Raw]:
    """The rows of a parquet or arrow file.

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
        for batch in _batches(arrow, parquet, path, suffix):
            for row in batch.to_pylist():
                number += 1
                yield Raw(f"{path}:row {number}", row)
    except arrow.ArrowInvalid as error:
        raise LogError(f"is damaged: {error}", where=str(path), fix="copy or export it again") from None


def _batches(arrow: Any, parquet: Any, path: Path, suffix: str) -> Iterator[Any]:
    if suffix == ".parquet":
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=256)
        return
    with arrow.memory_map(str(path)) as mapped:
        try:
            reader = arrow.ipc.open_stream(mapped)
            yield from reader
        except arrow.ArrowInvalid:  # the other of arrow's two layouts
            file = arrow.ipc.open_file(mapped)
            yield from (file.get_batch(i) for i in range(file.num_record_batches))
