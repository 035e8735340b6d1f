"""`maths`: word problems that the user tells bit by bit."""

from understudy.tasks.maths.family import Maths

__all__ = ["Maths"]
