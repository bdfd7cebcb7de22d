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

    def lines(self, path: Path) -> list[str]:
        """Return one line for each kind of problem."""
        return [self._line(path, problem) for problem in self._counts]

    def say(self, path: Path, stream: TextIO) -> None:
        """Write the lines."""
        for line in self.lines(path):
            print(f"warning: {line}", file=stream)

    def _line(self, path: Path, problem: str) -> str:
        count, named = self._counts[problem], ", ".join(self._places[problem])
        rest = count - len(self._places[problem])
        more = f" and {rest} more" if rest else ""
        return f"{path}: {count} {'text' if count == 1 else 'texts'} {problem}: {named}{more}"
