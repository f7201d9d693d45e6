"""What the lab says when something is wrong: one sentence."""


class LabError(Exception):
    """A sentence for the user; `detail` is the log that belongs to it."""

    def __init__(self, sentence, detail=""):
        super().__init__(sentence)
        self.detail = detail

    def __str__(self):
        sentence = super().__str__()
        return f"{sentence}\n{self.detail}" if self.detail else sentence
