"""Labelled texts in class folders: one folder per class, .txt files at any depth in it."""

import os
from collections.abc import Iterator
from pathlib import Path

from classifier.training.errors import DataError
from classifier.training.tables import Example, has_line_end, is_table
from classifier.training.texts import LONGEST_RAW

TEXT_SUFFIX = ".txt"
# What a folder or a table (train.csv) is called that holds one split: our name for it.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


def find_splits(folder: Path) -> dict[str, Path]:
    """Return where `folder` holds its splits, by our names; {} when it holds classes.

    A class may well be called "train": a split is a table, or a folder with folders in it, and
    nothing else but splits lies beside it, plain files aside.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir()
        name = SPLIT_NAMES.get(path.name.lower().split(".")[0])
        if path.name.startswith(".") or not (is_folder or (name and is_table(path))):
            continue
        if name is None or (is_folder and not any(p.is_dir() for p in path.iterdir())):
            return {}
        if name in found:
            raise DataError(
                f"{folder}: {found[name].name} and {path.name} are both for {name}; remove one"
            )
        found[name] = path
    if found and "train" not in found:
        raise DataError(f"{folder}: holds {', '.join(found)} but no train; add it")
    return found


def class_folders(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes, as text_dataset_from_directory takes them: sorted."""
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not names:
        table = next((p.name for p in sorted(folder.iterdir()) if is_table(p)), None)
        advice = f", or give {folder / table}" if table else ""
        raise DataError(
            f"{folder}: holds no class folders; "
            f"make one folder per class, with .txt files in it{advice}"
        )
    for name in names:
        _check_name(folder, name)
        if has_line_end(name):
            raise DataError(f"{folder}: the name {name!r} holds a control character; rename it")
    return tuple(names)


def read_folders(folder: Path, labels: tuple[str, ...]) -> Iterator[Example]:
    """Stream the texts class by class; of a file that is too long, little more than is kept."""
    for label in labels:
        for path in _text_files(folder / label):
            where = str(path.relative_to(folder))
            _check_name(folder, where)
            try:
                if not path.is_file():
                    raise DataError(f"{path}: not a plain file; remove it or put the text there")
                with path.open("rb") as file:
                    yield label, file.read(LONGEST_RAW + 1), where
            except OSError as error:
                raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def strangers(folder: Path) -> Iterator[str]:
    """Return the files in `folder` that hold no text to train on."""
    for root, _, names in os.walk(folder):
        inside = Path(root).relative_to(folder)
        for name in sorted(names):
            if inside == Path() or not name.lower().endswith(TEXT_SUFFIX):
                yield str(inside / name)


def _text_files(folder: Path) -> Iterator[Path]:
    """The files of one class, in the order of text_dataset_from_directory."""
    for root, _, names in sorted(os.walk(folder), key=lambda found: found[0]):
        for name in sorted(names):
            if name.lower().endswith(TEXT_SUFFIX):
                yield Path(root, name)


def _check_name(folder: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{folder}: the name {name!r} in it is not UTF-8; rename it") from error
