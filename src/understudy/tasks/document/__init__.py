"""`document`: the beginning of an article, drafted from comments (shape of MediumDocEdit-Chat)."""

from understudy.tasks.document.family import Document

__all__ = ["Document"]
