"""`elicit`: questions and a final answer (shape of MATH-Chat)."""

from understudy.tasks.elicit.family import Elicit

__all__ = ["Elicit"]
