"""What the kinds of rounds share: a kind, and values over many rounds."""

import math

from history import MS


class Kind:
    """n: rounds that the bound is said of. prepared(lab, args): a context
    whose value round(lab, ready, folder) takes to make one line; bounds(lines)
    gives (what, value, limit, met), met None where there is no bound."""

    def __init__(self, n, prepared, round_, bounds):
        self.n, self.prepared = n, prepared
        self.round, self.bounds = round_, bounds


def ms(ns):
    """For a line."""
    return None if ns is None else round(ns / MS, 2)


def quantile(values, q):
    """The least value that q of all do not exceed."""
    found = sorted(values)
    return found[max(0, math.ceil(len(found) * q) - 1)]


def most(what, values, limit, q=1.0):
    """A bound on a quantile; a value that is missing breaks it."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return (what, f"{len(values) - len(known)} of {len(values)} missing",
                limit, False)
    found = quantile(known, q)
    return what, found, limit, found <= limit


def none(what, values):
    """A sum that must be zero."""
    return what, sum(values), 0, sum(values) == 0


def said(what, values, q=1.0):
    """A quantile that is only reported."""
    known = [value for value in values if value is not None]
    return what, quantile(known, q) if known else None, None, None
