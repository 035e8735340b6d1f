"""Haggle: divide books, hats and balls with somebody who values them differently."""

from understudy.tasks.haggle.family import Haggle

__all__ = ["Haggle"]
