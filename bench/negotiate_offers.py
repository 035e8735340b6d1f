"""How often the division that fixed rules read from people's words is the one that they agreed on.

    python bench/negotiate_offers.py DATA

DATA is the folder of Deal or No Deal. By part, of the negotiations that ended in an agreement; 95% Wilson intervals. The rules
(`understudy.tasks.negotiate.offers`) were written on every second agreement of `train.txt`, from the first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from understudy.logs.deal_or_no_deal import Negotiation, read_negotiations
from understudy.stats import binomial_interval
from understudy.tasks.negotiate.corpus import TRAIN, VALIDATION, corpus_folder
from understudy.tasks.negotiate.offers import on_the_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Deal or No Deal")
    folder = corpus_folder(parser.parse_args().data)
    train, validation = (agreements(folder / name) for name in (TRAIN, VALIDATION))
    for name, part in (("written on", train[::2]), ("the others of train.txt", train[1::2]), ("val.txt", validation)):
        right = sum(map(read_right, part))
        print(f"{name:24} {binomial_interval(right, len(part)).format(3)} ({right} of {len(part)})")


def agreements(path: Path) -> list[Negotiation]:
    return [n for n in read_negotiations(path)[0] if n.ending == "agreed"]


def read_right(one: Negotiation) -> bool:
    said = [(place % 2 == 0, text) for place, text in enumerate(one.texts)]
    return on_the_table(said, one.counts) == one.first_takes


if __name__ == "__main__":
    main()
