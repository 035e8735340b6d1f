"""What a task of one's own may have beside: acts that the static arm learns from, contradictions for the coherence table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from examples.own_task import Meeting, read_day

from understudy.tasks.base import Check, FinalAct
from understudy.types import Message, Task


class MeetingWithStatic(Meeting):
    """`Meeting`, whose logs determine what some acts would have earned."""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        # After the proposal at which the user left, any wrong day would have been the last as well: the log determines
        # what each day earns there. After any other proposal it does not tell how the user would have gone on.
        if self.ending(task, messages) != "left" or len(messages) < 2:
            return None
        return FinalAct(len(messages) - 2, forced="how about")

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        act = self.final_act(task, messages)
        return float(read_day(text) == task.goal["day"]) if act and act.position == position else None

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        replies = ((said, m) for said, m in pairwise(messages) if m.role == "user" and "yes" in m.text.split())
        return [Check("agrees to a wrong day", read_day(said.text) != task.goal["day"]) for said, _ in replies]
