"""A small bundle, really trained, for every test that needs one; trained once."""

import itertools
from pathlib import Path

import pytest

SUBJECTS = {
    "animals": ["the dog", "a cat", "our horse", "the parrot", "a rabbit"],
    "food": ["the soup", "fresh bread", "a cake", "the salad", "roast potatoes"],
    "weather": ["rain", "the storm", "snow", "a cold wind", "the fog"],
}
ENDINGS = {
    "animals": ["sleeps in its basket", "runs after the ball", "needs a vet", "eats hay"],
    "food": ["tastes of garlic", "comes from the oven", "needs more salt", "is served hot"],
    "weather": ["will last all night", "reaches the coast", "clears by noon", "brings ice"],
}


def small_texts() -> dict[str, list[str]]:
    """Return 20 short texts for each of three labels, easy to tell apart."""
    return {
        label: [f"{start.capitalize()} {end}." for start, end in pairs]
        for label in SUBJECTS
        for pairs in [itertools.product(SUBJECTS[label], ENDINGS[label])]
    }


def write_folders(root: Path, texts: dict[str, list[str]]) -> Path:
    """Write texts as class folders below `root`, which is returned."""
    for label, items in texts.items():
        (root / label).mkdir(parents=True)
        for place, text in enumerate(items):
            (root / label / f"{place:03}.txt").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("data") / "texts", small_texts())


@pytest.fixture(scope="session")
def bundle_dir(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained on `data_dir`. Copy it before changing anything in it."""
    from classifier.__main__ import main

    output = tmp_path_factory.mktemp("trained") / "bundle"
    options = ["--batch-size", "8", "--learning-rate", "0.01", "--epochs", "12"]
    assert main(["train", str(data_dir), "--output", str(output), *options]) == 0
    return output
