"""Articles made for the purpose, as a data set in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

_PEOPLE = ("Marta Lind", "Otto Brandt", "Ines Varga", "Piet Holm", "Sofia Ricci", "Jonas Weber")
_TOWNS = ("Bergen", "Trieste", "Gdansk", "Porto", "Turku", "Ghent")
_TRADES = ("clocks", "violins", "ropes", "lanterns", "carpets", "kettles")


def write_articles(folder: Path, train: int, test: int, seed: int = 0) -> None:
    """`train.jsonl` and `test.jsonl` of articles with titles, none in both."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    years = iter(range(1700, 1700 + train + test))
    for name, count in (("train", train), ("test", test)):
        lines = [json.dumps(_article(rng, next(years))) for _ in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _article(rng: np.random.Generator, year: int) -> dict[str, str]:
    person, town, trade = (str(rng.choice(options)) for options in (_PEOPLE, _TOWNS, _TRADES))
    text = (
        f"{person} opened a small shop for {trade} in {town} in {year}. "
        f"Merchants from {rng.choice(_TOWNS)} ordered most of its stock. "
        f"A fire destroyed it, but {int(rng.integers(3, 40))} apprentices rebuilt everything."
    )
    return {"title": f"The {trade} of {town}", "text": text}
