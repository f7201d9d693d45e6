"""Waiting with an end: every wait of the lab is one of these."""

import time

from .errors import LabError

STEP = 0.05


class Deadline:
    """`seconds` from now on the monotonic clock."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def left(self):
        """Seconds left, never below 0."""
        return max(0.0, self.end - time.monotonic())

    def wait_step(self):
        """Sleeps a little; False once the time is over."""
        if self.left() == 0.0:
            return False
        time.sleep(min(STEP, self.left()))
        return True


def until(what, seconds, question, detail=lambda: ""):
    """Asks until the answer is true, and returns it.

    A LabError says `what` was awaited, with `detail()`, a log's end.
    """
    deadline = Deadline(seconds)
    while True:
        answer = question()
        if answer:
            return answer
        if not deadline.wait_step():
            raise LabError(f"{what}: not within {seconds:g} s", detail())
