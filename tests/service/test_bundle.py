"""The bundle contract: what is written is read back, and nothing that was changed is read."""

import errno
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from classifier import bundle, card
from classifier.traffic import Traffic

LABELS = ("spam", "ham")


def statistics(labels):
    traffic = Traffic(labels, ["dog"])
    traffic.add(["the", "dog"], "ham", 0.75)
    traffic.add(["dog"], "ham", 1.0)
    return traffic.summary()


def tokenizer(words, pairs=0, pieces=0, **changes):
    """Return settings for a vocabulary of that many words, pairs and pieces."""
    settings = {"kind": "bag", "ngrams": 2, "words": words, "pairs": pairs, "max_length": 100}
    settings |= {"pieces": 5 if pieces else 0, "max_tokens": words + pairs + pieces + 2}
    return bundle.TokenizerSettings(**settings | changes)


def parts(**changes):
    """Return arguments for `bundle.write`; the model is none, but looks like one."""
    vocabulary = ["the", "dog", "line\u2028separator", "next\x85line", "the dog", " dog>"]
    return {
        "model": b"\x1c\0\0\0TFL3" + bytes(64),
        "vocabulary": vocabulary,
        "labels": LABELS,
        "tokenizer": tokenizer(4, 1, 1),
        "limits": bundle.Limits(),
        "metrics": {"accuracy": 1, "macro_f1": 0.5, "held_out_texts": 2, "training_texts": 8},
        "golden": [bundle.GoldenText(f"Grüße {n}", "ham", 0.75) for n in range(8)],
        "calibration": {
            "temperature": 1.5,
            "ece_before": 0.1,
            "ece_after": 0.05,
            "bins": 15,
            "texts": 2,
        },
        "statistics": statistics(changes.get("labels", LABELS)),
        "embedding": {"tensor": "", "dimensions": 0},
        "terms": {name: f"a/{name}" for name in card.TERM_NAMES},
        "training": {
            "source": "mails",
            "data_digest": "0" * 64,
            "settings": {},
            "versions": {},
            "seed": 1,
            "duration_seconds": 2.5,
        },
    } | changes


@pytest.fixture
def written(tmp_path) -> Path:
    bundle.write(tmp_path / "bundle", **parts())
    return tmp_path / "bundle"


def reseal(folder: Path, change) -> None:
    """Change the card as someone would who knows the digests."""
    path = folder / bundle.CARD_NAME
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_bytes(card.render(card.seal(values)))


def test_what_was_written_is_read_back(written):
    found = bundle.load(written)
    given = parts()
    assert found.labels == LABELS
    assert list(found.vocabulary) == given["vocabulary"]
    assert found.tokenizer == given["tokenizer"]
    assert found.limits == given["limits"]
    assert found.golden == tuple(given["golden"])
    assert found.calibration == given["calibration"]
    assert found.statistics == given["statistics"]
    assert found.embedding == given["embedding"]
    assert found.terms == given["terms"]
    assert found.card["never_given"] == ["spam"]
    assert found.metrics == given["metrics"]
    assert found.model_path.read_bytes() == given["model"]
    assert found.card["training"] == given["training"]


def test_files_are_readable_by_all_and_writable_by_the_owner(tmp_path):
    old = os.umask(0o077)
    try:
        bundle.write(tmp_path / "bundle", **parts())
    finally:
        os.umask(old)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "bundle").iterdir()}
    assert set(modes.values()) == {0o644}
    assert stat.S_IMODE((tmp_path / "bundle").stat().st_mode) == 0o755


def test_model_id_depends_on_content_and_not_on_when_it_was_made(tmp_path):
    first = bundle.write(tmp_path / "a", **parts())
    later = bundle.write(
        tmp_path / "b", **parts(training=parts()["training"] | {"duration_seconds": 9})
    )
    other = bundle.write(tmp_path / "c", **parts(labels=LABELS[::-1]))
    assert first.model_id == later.model_id != other.model_id
    assert len(first.model_id) == 12
    assert int(first.model_id, 16) >= 0


@pytest.mark.parametrize("name", [bundle.CARD_NAME, *bundle.DATA_NAMES])
def test_any_flipped_byte_is_refused_by_name(written, name):
    path = written / name
    data = path.read_bytes()
    for place in range(len(data)):
        for flip in (0x01, 0x20, 0x29):  # 0x29 turns a space into a tab
            path.write_bytes(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
            with pytest.raises(bundle.BundleError, match=name):
                bundle.load(written)


@pytest.mark.parametrize("name", [bundle.CARD_NAME, *bundle.DATA_NAMES])
def test_a_missing_file_is_refused_by_name(written, name):
    (written / name).unlink()
    with pytest.raises(bundle.BundleError, match=f"{name}: missing"):
        bundle.load(written)


@pytest.mark.parametrize("name", [bundle.CARD_NAME, *bundle.DATA_NAMES])
def test_a_linked_file_is_refused_by_name(written, tmp_path, name):
    (written / name).rename(tmp_path / "elsewhere")
    (written / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(bundle.BundleError, match=f"{name}: not a plain file"):
        bundle.load(written)


def test_a_linked_folder_is_accepted(written, tmp_path):
    (tmp_path / "link").symlink_to(written)
    assert bundle.load(tmp_path / "link").labels == LABELS


def test_an_extra_file_is_refused_by_name(written):
    (written / "weights.pkl").touch()
    with pytest.raises(bundle.BundleError, match=r"weights\.pkl"):
        bundle.load(written)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(bundle.BundleError, match="no such folder"):
        bundle.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format=1), "format 1 is unknown, this version reads 4; train again"),
        (lambda c: c.update(format=3), "format 3 is unknown, this version reads 4; train again"),
        (lambda c: c.update(format=5), "format 5 is unknown"),
        (lambda c: c.update(format=4.0), "format must be of type int"),
        (lambda c: c.pop("limits"), "limits is missing"),
        (lambda c: c.update(note="x"), "note is not known"),
        (lambda c: c.update(labels=["spam"]), "two or more"),
        (lambda c: c.update(labels=["spam", "spam"]), "two or more"),
        (lambda c: c.update(labels=["spam", 1]), "non-empty strings"),
        (lambda c: c["tokenizer"].update(ngrams="2"), "tokenizer.ngrams must be of type int"),
        (lambda c: c["tokenizer"].update(ngrams=True), "tokenizer.ngrams must be of type int"),
        (lambda c: c["tokenizer"].update(max_length=0), "tokenizer.max_length is 0"),
        (lambda c: c["tokenizer"].update(max_tokens=9), "6 tokens and 2 special ids"),
        (lambda c: c["tokenizer"].update(split="x"), "tokenizer.split is not known"),
        (lambda c: c["tokenizer"].pop("kind"), "tokenizer.kind is missing"),
        (lambda c: c["tokenizer"].update(kind="set"), "kind is 'set', must be one of bag, seq"),
        (lambda c: c["tokenizer"].update(words=0), "tokenizer.words is 0, must be 1 or more"),
        (lambda c: c["tokenizer"].update(pairs=-1), "tokenizer.pairs is -1, must be 0 or more"),
        (lambda c: c["tokenizer"].update(pieces=-3), "tokenizer.pieces is -3, must be 0 or more"),
        (lambda c: c["tokenizer"].update(pieces=5.0), "tokenizer.pieces must be of type int"),
        (lambda c: c["tokenizer"].update(words=3), "line 4, .*, is not a pair of words above it"),
        (lambda c: c["tokenizer"].update(words=5), "line 5, 'the dog', is not a word"),
        (lambda c: c["tokenizer"].update(pairs=0), "line 5, 'the dog', is not a piece after a sp"),
        (lambda c: c["tokenizer"].update(pairs=2), "line 6, ' dog>', is not a pair of words"),
        (lambda c: c["tokenizer"].update(pairs=3), "6 tokens, fewer than the words and pairs"),
        (lambda c: c["limits"].pop("batch_texts"), "limits.batch_texts is missing"),
        (lambda c: c["metrics"].pop("accuracy"), "metrics.accuracy is missing"),
        (lambda c: c["training"].pop("seed"), "training.seed is missing"),
        (lambda c: c["golden"].pop(), "7 golden texts"),
        (lambda c: c["golden"][3].update(label="eggs"), r"golden\[3\].label 'eggs'"),
        (lambda c: c["golden"][3].update(probability=1.5), r"golden\[3\].probability"),
        (lambda c: c["golden"][3].update(text="x" * 10_001), r"golden\[3\].text"),
        (lambda c: c.update(never_given=[]), r"never_given is \[\], but .* are \['spam'\]"),
        (lambda c: c["golden"][3].update(label="spam"), r"never_given is \['spam'\], but .* \[\]"),
        (lambda c: c.pop("statistics"), "statistics is missing"),
        (lambda c: c["statistics"].pop("words"), "statistics.words is missing"),
        (lambda c: c["statistics"]["label_mix"].pop("spam"), "label_mix.spam is missing"),
        (lambda c: c["statistics"]["label_mix"].update(eggs=0.1), "label_mix.eggs is not known"),
        (
            lambda c: c["statistics"]["confidence"]["histogram"].pop(),
            "confidence.histogram must be 20 counts",
        ),
        (lambda c: c["statistics"].update(texts=3), "histogram counts 2 texts, .* says 3"),
        (lambda c: c["statistics"]["words"]["quantiles"].pop("p50"), "quantiles.p50 is missing"),
        (lambda c: c["calibration"].update(temperature=0), "calibration.temperature is 0"),
        (lambda c: c["calibration"].pop("ece_after"), "calibration.ece_after is missing"),
        (lambda c: c["embedding"].update(dimensions="8"), "embedding.dimensions must be of type"),
        (lambda c: c.pop("terms"), "terms is missing"),
        (lambda c: c["terms"].pop("scales"), "terms.scales is missing"),
        (lambda c: c["terms"].update(bias=1), "terms.bias must be of type str"),
        (lambda c: c["terms"].update(weights="w"), "terms.weights is not known"),
        (lambda c: c["files"].update({"model.tflite": "0" * 64}), "model.tflite: sha256"),
        (lambda c: c["files"].update({"../x": "0" * 64}), r"files\.\.\./x is not known"),
    ],
)
def test_a_wrong_card_is_refused_even_with_fitting_digests(written, change, message):
    reseal(written, change)
    with pytest.raises(bundle.BundleError, match=message):
        bundle.load(written)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"format": 1, "format": 1}',
        b"\xff",
        b'{"format": NaN}',
        b'{"labels": ["\\ud800"]}',
    ],
    ids=repr,
)
def test_a_card_that_is_no_card_is_refused_in_one_line(written, data):
    (written / bundle.CARD_NAME).write_bytes(data)
    with pytest.raises(bundle.BundleError, match=r"bundle\.json: ") as caught:
        bundle.load(written)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "vocabulary", [["a", "a"], ["a", ""], ["a\nb", "c"], []], ids=["twice", "empty", "line", "none"]
)
def test_a_vocabulary_that_would_shift_ids_is_never_written(tmp_path, vocabulary):
    settings = tokenizer(max(1, len(vocabulary)), max_tokens=len(vocabulary) + 2)
    with pytest.raises(bundle.BundleError, match=r"vocabulary\.txt"):
        bundle.write(tmp_path / "b", **parts(vocabulary=vocabulary, tokenizer=settings))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (["a b", "b", "a", " ab>"], "line 1, 'a b', is not a word"),
        (["a", "b", " ab>", "a b"], "line 3, ' ab>', is not a pair of words above it"),
        (["a", "b", "a c", " ab>"], "line 3, 'a c', is not a pair of words above it"),
        (["a", "b", "a b a", " ab>"], "line 3, 'a b a', is not a pair of words above it"),
        (["a", "b", "a b", "ab>"], "line 4, 'ab>', is not a piece after a space"),
        (["a", "b", "a b", " a b"], "line 4, ' a b', is not a piece after a space"),
        (["a", "b", "a b", "b a"], "line 4, 'b a', is not a piece after a space"),
    ],
    ids=str,
)
def test_a_token_that_is_not_in_its_place_is_never_written(tmp_path, vocabulary, message):
    settings = tokenizer(2, 1, 1)
    with pytest.raises(bundle.BundleError, match=rf"vocabulary\.txt: {message}; train again"):
        bundle.write(tmp_path / "b", **parts(vocabulary=vocabulary, tokenizer=settings))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("vocabulary", "counts"),
    [(["a"], (1,)), (["a", "b", "b a"], (2, 1)), (["a", " <ab"], (1, 0, 1))],
    ids=str,
)
def test_pairs_and_pieces_may_be_none(tmp_path, vocabulary, counts):
    made = bundle.write(
        tmp_path / "b", **parts(vocabulary=vocabulary, tokenizer=tokenizer(*counts))
    )
    assert list(made.vocabulary) == vocabulary


def test_a_model_that_is_no_litert_file_is_never_written(tmp_path):
    with pytest.raises(bundle.BundleError, match="not a LiteRT model"):
        bundle.write(tmp_path / "b", **parts(model=b"PK\3\4 pickles"))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bundle_is_replaced_and_nothing_stays_beside_it(written):
    made = bundle.write(written, **parts(labels=("ham", "eggs")))
    assert bundle.load(written).labels == made.labels == ("ham", "eggs")
    assert list(written.parent.iterdir()) == [written]


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to_mother.txt").touch()
    with pytest.raises(bundle.BundleError, match=r"to_mother\.txt"):
        bundle.write(tmp_path / "letters", **parts())
    assert (tmp_path / "letters" / "to_mother.txt").exists()


def test_a_file_is_never_replaced(tmp_path):
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(bundle.BundleError, match="is a file"):
        bundle.write(tmp_path / "letter", **parts())


@pytest.mark.parametrize("failing", ["fsync", "rename"])
def test_a_failed_write_leaves_the_old_bundle(written, monkeypatch, failing):
    before = bundle.load(written).model_id
    real, calls = Path.rename, []

    def full(*args):
        calls.append(args)
        if failing == "rename" and len(calls) != 2:  # the second puts the new one in place
            return real(*args)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = (os, "fsync") if failing == "fsync" else (Path, "rename")
    monkeypatch.setattr(*target, full)
    with pytest.raises(bundle.BundleError, match="No space left on device"):
        bundle.write(written, **parts(labels=("ham", "eggs")))
    assert bundle.load(written).model_id == before
    assert list(written.parent.iterdir()) == [written]


def test_a_trained_bundle_loads(bundle_dir, tmp_path):
    found = bundle.load(shutil.copytree(bundle_dir, tmp_path / "copy"))
    assert found.labels == ("animals", "food", "weather")
    assert 8 <= len(found.golden) <= 64
    assert {golden.label for golden in found.golden} == set(found.labels)
