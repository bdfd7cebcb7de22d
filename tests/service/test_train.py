"""Training as a whole, on small data: good, reproducible, robust."""

import dataclasses
import itertools

import pytest
from classifier import bundle
from classifier.training import pipeline, train
from classifier.training.corpus import Places
from classifier.training.errors import TrainError
from classifier.training.settings import Settings

SETTINGS = Settings(batch_size=8, learning_rate=0.01, epochs=6)


def test_easy_texts_are_told_apart(bundle_dir):
    metrics = bundle.load(bundle_dir).metrics
    assert metrics["accuracy"] == 1.0
    assert metrics["macro_f1"] == 1.0
    assert (metrics["held_out_texts"], metrics["training_texts"]) == (6, 48)


def test_only_another_seed_gives_another_bundle(data_dir, bundle_dir, tmp_path):
    first = bundle.load(bundle_dir)
    settings = Settings(**first.card["training"]["settings"])
    again, other = (
        pipeline.run(pipeline.prepare(Places(data_dir), changed), tmp_path / "b", None)
        for changed in (settings, dataclasses.replace(settings, seed=2))
    )
    assert again.model_id == first.model_id != other.model_id
    assert again.card["files"] == first.card["files"]


def test_a_rare_label_is_learned_beside_a_frequent_one(tmp_path):
    path = tmp_path / "t.csv"
    often = itertools.product("abcdef", ["bus", "car", "train"], "uvwxyz")
    rows = [f"often,{who} {what} stops here {n}" for who, what, n in often]
    rows += [f"rare,{who} violin plays softly {n}" for who, n in itertools.product("abc", "xyz")]
    path.write_text("label,text\n" + "\n".join(rows))
    found = pipeline.run(
        pipeline.prepare(Places(path), dataclasses.replace(SETTINGS, epochs=12)),
        tmp_path / "b",
        None,
    )
    assert found.metrics["macro_f1"] == 1.0
    assert {golden.label for golden in found.golden} == {"often", "rare"}


def test_a_loss_that_is_no_number_is_an_error_with_advice(data_dir, tmp_path):
    job = pipeline.prepare(Places(data_dir), dataclasses.replace(SETTINGS, learning_rate=1e38))
    with pytest.raises(TrainError, match=r"lower --learning-rate \(it is 1e\+38\)"):
        pipeline.run(job, tmp_path / "b", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("count", "asked", "size"), [(10, 0, 8), (4000, 0, 32), (10**6, 0, 256), (10, 5, 5)]
)
def test_batches_fit_the_number_of_texts(count, asked, size):
    assert train.batch_size(count, Settings(batch_size=asked)) == size
