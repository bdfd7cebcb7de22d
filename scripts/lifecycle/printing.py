"""Tables for people."""

from __future__ import annotations


def print_table(rows: list[dict], columns: tuple[str, ...] = ()) -> None:
    """Print rows under their names, as wide as needed; `columns` chooses and orders them.

    Without a row there is nothing to print.
    """
    if not rows:
        return
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in [names, *cells]:
        row = zip(line, widths, strict=True)
        print("  ".join(cell.ljust(width) for cell, width in row).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
