"""Training as a whole, on small data: good, reproducible, robust."""

import contextlib
import dataclasses
import itertools

import numpy
import pytest
from classifier import bundle
from classifier.training import pipeline, train
from classifier.training.corpus import Places, read_corpus
from classifier.training.errors import TrainError
from classifier.training.notices import Notices
from classifier.training.settings import Settings
from classifier.training.sources import open_source, scan

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


def trained(corpus, **changes):
    return train.train(corpus, dataclasses.replace(SETTINGS, epochs=2, **changes))


def numbers(network):
    return [weights.tobytes() for weights in network.get_weights()]


@pytest.fixture(scope="module")
def corpus(data_dir):
    return read_corpus(Places(data_dir), SETTINGS)


@pytest.fixture(scope="module")
def with_refit(corpus):
    return trained(corpus)


def test_of_very_many_texts_a_part_chooses_the_vocabulary_from_all_over_them(corpus, monkeypatch):
    splits = [corpus.training, corpus.validation]
    every = [text.decode() for split in splits for text, _ in split.texts()]
    assert list(train._texts(splits)) == every
    monkeypatch.setattr(train, "_MOST_COUNTED", len(every) // 2)
    chosen = list(train._texts(splits))
    assert len(every) // 4 <= len(chosen) <= len(every) // 2
    labels = {label for split in splits for text, label in split.texts() if text.decode() in chosen}
    assert labels == set(range(len(corpus.training.scan.labels)))


def test_all_splits_together_keep_in_memory_what_is_allowed(corpus, monkeypatch):
    splits = [corpus.training, corpus.validation]
    vocabulary = train.find_vocabulary(train._texts(splits), SETTINGS, 1000)
    with contextlib.ExitStack() as stack:
        held = train._hold(splits, vocabulary, SETTINGS, stack)
        sizes = [each._cache.size for each in held]
        assert not any(each._cache.is_on_disk for each in held)
        # Enough for each of them, not for all
        monkeypatch.setattr(train, "MEMORY_LIMIT_BYTES", sum(sizes) - 1)
        held = train._hold(splits, vocabulary, SETTINGS, stack)
        in_memory = [
            size for size, each in zip(sizes, held, strict=True) if not each._cache.is_on_disk
        ]
        assert sum(in_memory) < sum(sizes)
        assert all(list(each.epoch()) for each in held)


def test_what_is_delivered_is_fitted_to_all_texts_and_what_is_measured_is_not(corpus, with_refit):
    found = with_refit
    assert numbers(found.measured) != numbers(found.network)
    ids = found.vocabulary.make_tokenizer()
    tokens = set(range(2, 2 + found.vocabulary.tokenizer.words))
    held_out = {
        token
        for split in (corpus.test, corpus.validation)
        for text, _ in split.texts()
        for token in ids.encode(text.decode()).tolist()
    }
    trained_on = {
        token for text, _ in corpus.training.texts() for token in ids.encode(text.decode()).tolist()
    }
    words = {found.vocabulary.tokens[token - 2] for token in trained_on & tokens}
    assert tokens <= held_out | trained_on
    assert set(found.measured_words) == words


def test_without_the_second_fit_the_measured_network_is_delivered(corpus):
    found = trained(corpus, refit="none")
    assert found.network is found.measured
    assert set(found.measured_words) == set(found.vocabulary.words)
    assert train.delivered_splits(corpus, Settings(refit="none")) == [corpus.training]


def test_a_test_split_that_was_given_is_never_fitted_to(data_dir, tmp_path):
    path = tmp_path / "test.csv"
    path.write_text("label,text\nfood,quince marmalade\nanimals,an axolotl\nweather,hail\n")
    corpus = read_corpus(Places(data_dir, test=path), SETTINGS)
    assert corpus.test not in train.delivered_splits(corpus, SETTINGS)
    assert not {"quince", "axolotl", "hail"} & set(trained(corpus).vocabulary.words)


def test_held_out_texts_do_not_touch_the_measured_network(tmp_path):
    """Other texts in the held-out splits, of the same words: the network that is measured stays."""
    networks = []
    for turned in (False, True):
        path = tmp_path / "t.csv"
        rows = [f"{label},{label} is {n} red blue" for label in ("one", "two") for n in range(40)]
        path.write_text("label,text\n" + "\n".join(rows))
        corpus = read_corpus(Places(path), SETTINGS)
        if turned:
            corpus = dataclasses.replace(corpus, test=mislabelled(corpus.test))
        networks.append(trained(corpus))
    first, second = networks
    assert numbers(first.measured) == numbers(second.measured)
    assert numbers(first.network) != numbers(second.network)


def mislabelled(split):
    """The same texts, each with the other label."""
    table = split.source.path.with_name("turned.csv")
    lines = split.source.path.read_text().splitlines()
    other = {"one": "two", "two": "one"}
    turned = [f"{other[label]},{text}" for label, _, text in (x.partition(",") for x in lines[1:])]
    table.write_text("\n".join([lines[0], *turned]))
    turned_source = open_source(table)
    return dataclasses.replace(split, source=turned_source, scan=scan(turned_source, Notices()))


def test_ids_that_are_kept_nowhere_give_the_same_linear_part(corpus, with_refit):
    streamed = trained(corpus, cache="none", vector_weight=0.0)
    ids = numpy.array([streamed.vocabulary.make_tokenizer().encode("the dog eats fresh bread")])
    one, two = (each.network(ids).numpy() for each in (with_refit, streamed))
    assert one == pytest.approx(two, abs=0.3)  # of logits; the vectors of words count for 0.03


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


def test_a_loss_that_is_no_number_is_an_error_with_advice(data_dir, tmp_path, capsys):
    job = pipeline.prepare(Places(data_dir), dataclasses.replace(SETTINGS, learning_rate=1e38))
    with pytest.raises(TrainError, match=r"lower --learning-rate \(it is 1e\+38\)"):
        pipeline.run(job, tmp_path / "b", None)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""  # Keras has its say there, unless it is told not to


@pytest.mark.parametrize(
    ("count", "asked", "size"), [(10, 0, 8), (4000, 0, 32), (10**6, 0, 256), (10, 5, 5)]
)
def test_batches_fit_the_number_of_texts(count, asked, size):
    assert train.batch_size(count, Settings(batch_size=asked)) == size
