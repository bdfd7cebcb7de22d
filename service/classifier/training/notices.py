"""What was done to texts that are not as they should be: collected, then said once."""

from collections import defaultdict
from pathlib import Path
from typing import TextIO

NAMED_MOST = 5


class Notices:
    """Counts each kind of problem and remembers where the first few stand."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = defaultdict(int)
        self._places: dict[str, list[str]] = defaultdict(list)

    def take(self, problem: str | None, where: str) -> None:
        """Note `problem` at `where`; None is no problem."""
        if problem is None:
            return
        self._counts[problem] += 1
        if len(self._places[problem]) < NAMED_MOST:
            self._places[problem].append(where)

    def say(self, path: Path, stream: TextIO) -> None:
        """Write one line for each kind of problem."""
        for problem, count in self._counts.items():
            named = ", ".join(self._places[problem])
            rest = count - len(self._places[problem])
            more = f" and {rest} more" if rest else ""
            texts = "text" if count == 1 else "texts"
            print(f"warning: {path}: {count} {texts} {problem}: {named}{more}", file=stream)
