"""A programme of its own, started by `answers`: whether pairs of answers are the same to math-verify, one pair per line.

It imports nothing of ours, so that it starts as fast as math-verify does.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys

READY = "ready"
"""The first line it writes; another one says why math-verify cannot be had."""


def main(seconds: float) -> None:
    """Answer every line `[truth, answer]` by `true` or `false` until there is none; end without a word if that takes too long.

    Args:
        seconds: that one pair may take.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides what Ctrl-C means, and closes our input
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print
    try:
        from math_verify import parse, verify
    except ImportError as error:
        print(error, file=answers, flush=True)
        return
    logging.disable()
    print(READY, file=answers, flush=True)

    def same(truth: str, answer: str) -> bool:
        # Its own limits are off: they are signals, which arrive only when a long multiplication is done.
        read = (parse(text, parsing_timeout=None) for text in (truth, answer))
        return bool(verify(*read, timeout_seconds=None))

    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for line in sys.stdin:
            truth, answer = json.loads(line)
            # The one limit that holds whatever Python is doing, on any system: a thread outside of it ends the process.
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
            # MATH's answers are LaTeX, which is read as such between dollars alone; people and models write what they like.
            found = same(truth, answer) or same(*(f"${text.strip().strip('$')}$" for text in (truth, answer)))
            faulthandler.cancel_dump_traceback_later()
            print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
