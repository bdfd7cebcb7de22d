"""Finds names that were meant to be others."""

import difflib

LIKENESS = 0.88  # above it, two names of this length differ by a slip or two


def misspelt(names, known):
    """Return {name: the known name it resembles} for those names that are no known name."""
    found = {}
    for name in set(names) - set(known):
        alike = difflib.get_close_matches(name, known, n=1, cutoff=LIKENESS)
        if alike:
            found[name] = alike[0]
    return found


class FilterModule:
    def filters(self):
        return {"misspelt": misspelt}
