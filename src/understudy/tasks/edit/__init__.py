"""`edit`: drafts and comments (shape of MediumDocEdit-Chat)."""

from understudy.tasks.edit.family import Edit

__all__ = ["Edit"]
