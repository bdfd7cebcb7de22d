"""The bundle: a folder of plain data that training writes and serving reads.

    model.tflite      input `ids` int32 [n, length], output `probabilities` float32 [n, labels]
    vocabulary.txt    UTF-8, one token a line; line i (from 0) has id i + 2 (0 padding, 1 unknown):
                      words, then pairs of them, then pieces of words, each after a space
    bundle.json       the card: what the other two mean, with their digests; written last

Standard library only: this is the one module that both sides import.
"""

import dataclasses
import datetime
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier import card as card_file

CARD_NAME = "bundle.json"
MODEL_NAME = "model.tflite"
VOCABULARY_NAME = "vocabulary.txt"
DATA_NAMES = (MODEL_NAME, VOCABULARY_NAME)
SPECIAL_IDS = 2  # padding and unknown come before the first token


class BundleError(Exception):
    """A bundle that cannot be read or written: one line that names the file and what is wrong."""


@dataclass(frozen=True)
class TokenizerSettings:
    """How texts become ids; what each means is told by `serving.tokenizer`.

    kind         "bag": ids at most twice, unknown words by their pieces; "sequence": words in order
    ngrams       2 where pairs of words have ids, else 1
    words, pairs how many tokens of the vocabulary, from its begin, are words, and then pairs
    pieces       characters of the longest piece of a word, 0 where there are no pieces
    max_tokens   counts all ids, padding and unknown included
    max_length   ids of a text beyond it are cut
    """

    kind: str
    ngrams: int
    words: int
    pairs: int
    pieces: int
    max_tokens: int
    max_length: int


@dataclass(frozen=True)
class Limits:
    """What a request may ask for: characters in one text, texts in one batch."""

    text_chars: int = 10_000
    batch_texts: int = 64


@dataclass(frozen=True)
class GoldenText:
    """A text with the answer the exported model gave: what a deploy must reproduce."""

    text: str
    label: str
    probability: float


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. `card` is the whole of bundle.json."""

    path: Path
    labels: tuple[str, ...]
    vocabulary: tuple[str, ...]
    tokenizer: TokenizerSettings
    limits: Limits
    metrics: dict[str, Any]
    golden: tuple[GoldenText, ...]
    calibration: dict[str, Any]
    statistics: dict[str, Any]
    embedding: dict[str, Any]
    terms: dict[str, Any]
    model_id: str
    card: dict[str, Any]

    @property
    def model_path(self) -> Path:
        """Where the LiteRT model lies."""
        return self.path / MODEL_NAME


def load(path: str | os.PathLike[str]) -> Bundle:
    """Read the bundle at `path` and verify all of it; BundleError names the first thing wrong."""
    folder = Path(path)
    try:
        _check_entries(folder)
        card = card_file.parse((folder / CARD_NAME).read_bytes(), DATA_NAMES)
        _check_data(folder, card["files"])
        vocabulary = _read_vocabulary(folder / VOCABULARY_NAME)
    except card_file.CardError as error:
        raise BundleError(f"{folder / CARD_NAME}: {error}") from error
    except OSError as error:
        raise BundleError(f"{error.filename or folder}: {error.strerror or error}") from error
    tokenizer = TokenizerSettings(**card["tokenizer"])
    if tokenizer.max_tokens != len(vocabulary) + SPECIAL_IDS:
        raise BundleError(
            f"{folder / VOCABULARY_NAME}: {len(vocabulary)} tokens and {SPECIAL_IDS} special ids, "
            f"but {CARD_NAME} says tokenizer.max_tokens is {tokenizer.max_tokens}"
        )
    _check_vocabulary(folder / VOCABULARY_NAME, vocabulary, tokenizer)
    return Bundle(
        path=folder,
        labels=tuple(card["labels"]),
        vocabulary=vocabulary,
        tokenizer=tokenizer,
        limits=Limits(**card["limits"]),
        metrics=card["metrics"],
        golden=tuple(GoldenText(**item) for item in card["golden"]),
        calibration=card["calibration"],
        statistics=card["statistics"],
        embedding=card["embedding"],
        terms=card["terms"],
        model_id=card["model_id"],
        card=card,
    )


def write(  # noqa: PLR0913 - a bundle has that many parts, all by name
    path: str | os.PathLike[str],
    *,
    model: bytes,
    vocabulary: Sequence[str],
    labels: Sequence[str],
    tokenizer: TokenizerSettings,
    limits: Limits,
    metrics: Mapping[str, Any],
    golden: Sequence[GoldenText],
    calibration: Mapping[str, Any],
    statistics: Mapping[str, Any],
    embedding: Mapping[str, Any],
    terms: Mapping[str, Any],
    training: Mapping[str, Any],
) -> Bundle:
    """Write a bundle to `path` in one rename, in place of the bundle that may be there.

    What is written is loaded and verified before it takes the place. On any failure, BundleError
    or another, `path` is as it was and nothing is left beside it.
    """
    target = Path(os.path.realpath(path))
    check_target(target)
    contents = {
        MODEL_NAME: model,
        VOCABULARY_NAME: "".join(f"{token}\n" for token in vocabulary).encode(),
    }
    card = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "labels": list(labels),
        "tokenizer": dataclasses.asdict(tokenizer),
        "limits": dataclasses.asdict(limits),
        "metrics": dict(metrics),
        "calibration": dict(calibration),
        "statistics": dict(statistics),
        "embedding": dict(embedding),
        "terms": dict(terms),
        "golden": [dataclasses.asdict(item) for item in golden],
        "never_given": card_file.never_given(labels, [item.label for item in golden]),
        "training": dict(training),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    }
    contents[CARD_NAME] = card_file.render(card_file.seal(card))  # last: without it, no bundle
    try:
        _install(target, contents)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BundleError(f"{target}: the bundle could not be written: {reason}") from error
    return load(path)


def check_target(path: str | os.PathLike[str]) -> None:
    """Refuse a place where writing a bundle would destroy something that is no bundle."""
    target = Path(path)
    if not target.exists():
        return
    if not target.is_dir():
        raise BundleError(f"{target}: is a file; name a folder for the bundle")
    strange = sorted({entry.name for entry in target.iterdir()} - {CARD_NAME, *DATA_NAMES})
    if strange:
        raise BundleError(
            f"{target}: holds {strange[0]!r}, which is no part of a bundle; name another folder"
        )


def _install(target: Path, contents: Mapping[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    workroom = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    fresh, old = workroom / "new", workroom / "old"
    try:
        fresh.mkdir()
        for name, data in contents.items():
            _write_file(fresh / name, data)
        fresh.chmod(0o755)
        load(fresh)
        try:
            if target.exists():
                target.rename(old)
            fresh.rename(target)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(workroom)


def _write_file(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)


def _check_entries(folder: Path) -> None:
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such folder; make it with: python -m classifier train")
    expected = {CARD_NAME, *DATA_NAMES}
    with os.scandir(folder) as entries:
        found = {entry.name: entry for entry in entries}
    for name in sorted(expected - found.keys()):
        raise BundleError(f"{folder / name}: missing; train again or copy the whole bundle")
    for name in sorted(found.keys() - expected):
        raise BundleError(f"{folder / name}: not part of a bundle; remove it")
    for name, entry in sorted(found.items()):
        if not entry.is_file(follow_symlinks=False):
            raise BundleError(f"{folder / name}: not a plain file; copy the file itself here")


def _check_data(folder: Path, digests: Mapping[str, str]) -> None:
    for name in DATA_NAMES:
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digests[name]:
            raise BundleError(
                f"{folder / name}: sha256 is {found}, {CARD_NAME} says {digests[name]!r}; "
                "train again or copy the bundle anew"
            )
    with (folder / MODEL_NAME).open("rb") as file:
        if file.read(8)[4:] != b"TFL3":
            raise BundleError(f"{folder / MODEL_NAME}: not a LiteRT model; train again")


def _check_vocabulary(path: Path, vocabulary: Sequence[str], tokenizer: TokenizerSettings) -> None:
    """See that words, pairs and pieces stand where the card says, and pairs are of known words."""
    pairs_end = tokenizer.words + tokenizer.pairs
    if pairs_end > len(vocabulary):
        raise BundleError(f"{path}: {len(vocabulary)} tokens, fewer than the words and pairs of it")
    words = set(vocabulary[: tokenizer.words])
    for place, token in enumerate(vocabulary):
        parts = token.split(" ")
        if place < tokenizer.words:
            fits, kind = len(parts) == 1, "a word"
        elif place < pairs_end:
            fits, kind = len(parts) == 2 and words.issuperset(parts), "a pair of words above it"
        else:
            fits, kind = len(parts) == 2 and not parts[0], "a piece after a space"
        if not fits:
            raise BundleError(f"{path}: line {place + 1}, {token!r}, is not {kind}; train again")


def _read_vocabulary(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not UTF-8 at byte {error.start}; train again") from error
    # Not splitlines(): tokens may hold characters that it takes for line ends.
    tokens = text.split("\n")
    if tokens.pop():
        raise BundleError(f"{path}: the last line has no end; train again")
    if not tokens or "" in tokens or len(set(tokens)) != len(tokens):
        raise BundleError(f"{path}: must hold tokens, none empty, each once; train again")
    return tuple(tokens)
