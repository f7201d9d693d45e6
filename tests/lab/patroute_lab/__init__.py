"""The lab: a real cluster in network namespaces, for tests and by hand."""

from .errors import LabError
from .lab import Lab

__all__ = ["Lab", "LabError"]
