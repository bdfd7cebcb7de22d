"""The command line: what it makes, what it refuses, and that it says so in one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from classifier import bundle, card
from classifier.__main__ import main
from classifier.training import pipeline

SERVICE = Path(__file__).parents[2] / "service"
OPTIONS = ["--batch-size", "8", "--learning-rate", "0.01", "--epochs", "12"]  # as in conftest


def last_json(capsys):
    out = capsys.readouterr().out
    return json.loads(out.splitlines()[-1])


def write_table(path, **counts):
    rows = [f"{label},{label} text number {n}" for label in counts for n in range(counts[label])]
    path.write_text("label,text\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def no_training(monkeypatch):
    """Fail when a command comes so far that it trains."""
    monkeypatch.setattr(pipeline, "run", lambda *_: pytest.fail("trained"))


@pytest.fixture
def own_bundle(bundle_dir, tmp_path):
    return shutil.copytree(bundle_dir, tmp_path / "out" / "bundle")


@pytest.fixture
def own_data(data_dir, tmp_path):
    return shutil.copytree(data_dir, tmp_path / "texts")


@pytest.fixture
def retrained(own_bundle, monkeypatch):
    """Return a bundle of one's own; training gives what it was at first, at once."""
    found = bundle.load(own_bundle)
    monkeypatch.setattr(pipeline, "run", lambda *_: found)
    return own_bundle


def run(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "classifier", *map(str, args)],
        cwd=SERVICE,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def test_an_up_to_date_bundle_is_left_alone(data_dir, own_bundle, capsys, no_training):
    before = {p.name: p.stat().st_mtime_ns for p in own_bundle.iterdir()}
    assert main(["train", str(data_dir), "--output", str(own_bundle), *OPTIONS]) == 0
    line = last_json(capsys)
    found = bundle.load(own_bundle)
    assert line == {
        "bundle": str(own_bundle),
        "report": f"{own_bundle}.report",
        "model_id": found.model_id,
        "accuracy": found.metrics["accuracy"],
        "macro_f1": found.metrics["macro_f1"],
        "ece": found.calibration["ece_after"],
        "held_out_texts": 6,
        "training_texts": 48,
        "labels": ["animals", "food", "weather"],
        "seconds": line["seconds"],
        "trained": False,
    }
    assert line["seconds"] < 3
    assert {p.name: p.stat().st_mtime_ns for p in own_bundle.iterdir()} == before


def test_an_up_to_date_bundle_needs_no_tensorflow(data_dir, own_bundle):
    code = (
        "import sys; from classifier.__main__ import main; code = main(sys.argv[1:]); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules); sys.exit(code)"
    )
    words = ["train", data_dir, "--output", own_bundle, *OPTIONS]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=SERVICE, check=False, timeout=60
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda data, _: (data / "food" / "999.txt").write_text("Plum jam."), "other data_digest"),
        (lambda _, options: options.extend(["--seed", "9"]), "other settings"),
        (lambda _, options: options.append("--force"), ""),
    ],
    ids=["data", "settings", "force"],
)
def test_a_change_trains_anew(own_data, retrained, capsys, change, cause):
    options = list(OPTIONS)
    change(own_data, options)
    assert main(["train", str(own_data), "--output", str(retrained), *options]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["trained"] is True
    assert cause in said.err


@pytest.mark.parametrize("key", ["versions", "code_digest"])
def test_other_code_or_versions_train_anew(data_dir, retrained, capsys, monkeypatch, key):
    changed = {"versions": {"tensorflow": "0"}, "code_digest": "0"}[key]
    monkeypatch.setattr(pipeline, f"_{key}", lambda: changed)
    assert main(["train", str(data_dir), "--output", str(retrained), *OPTIONS]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["trained"] is True
    assert f"other {key}" in said.err


def test_a_damaged_bundle_is_trained_anew(data_dir, retrained, capsys):
    (retrained / bundle.MODEL_NAME).write_bytes(b"")
    assert main(["train", str(data_dir), "--output", str(retrained), *OPTIONS]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["trained"] is True
    assert "training anew: " in said.err
    assert "model.tflite: sha256" in said.err


def test_a_separate_file_is_what_accuracy_is_measured_on(tmp_path, capsys):
    write_table(tmp_path / "train.csv", cat=12, dog=12)
    write_table(tmp_path / "test.csv", cat=6, dog=3)
    files = [str(tmp_path / "train.csv"), "--test", str(tmp_path / "test.csv")]
    assert main(["train", *files, "--output", str(tmp_path / "b"), "--epochs", "2"]) == 0
    line = last_json(capsys)
    assert (line["held_out_texts"], line["training_texts"]) == (9, 22)
    assert bundle.load(tmp_path / "b").metrics["fitted_texts"] == 24  # and none of the nine


def test_below_the_floor_nothing_is_written(tmp_path, capsys):
    # The same texts under both labels: nobody can be right more than half of the time.
    rows = [f"{label},the same {n}" for label in ("yes", "no") for n in range(10)]
    (tmp_path / "t.csv").write_text("label,text\n" + "\n".join(rows))
    words = ["train", str(tmp_path / "t.csv"), "--output", str(tmp_path / "out" / "b")]
    assert main([*words, "--epochs", "1", "--require-accuracy", "0.95"]) == 1
    said = capsys.readouterr()
    assert "is below the required 0.95; nothing was written" in said.err
    assert said.out == ""
    assert not (tmp_path / "out").exists()


def test_below_the_floor_an_up_to_date_bundle_fails_too(data_dir, own_bundle, capsys, monkeypatch):
    found = bundle.load(own_bundle)
    found.metrics["accuracy"] = 0.5
    monkeypatch.setattr(pipeline, "up_to_date", lambda *_: found)
    words = ["train", str(data_dir), "--output", str(own_bundle), "--require-accuracy", "0.9"]
    assert main(words) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "holds no texts"),
        ({"a": 20}, "has one class, 'a'"),
        ({"a": 20, "b": 2}, "class 'b' has 2 usable texts, the splits need 5"),
    ],
)
def test_data_that_cannot_be_trained_on_is_one_line_and_exit_2(
    tmp_path, capsys, no_training, counts, message
):
    path = write_table(tmp_path / "t.csv", **counts)
    assert main(["train", str(path), "--output", str(tmp_path / "b")]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {path}: {message}")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not (tmp_path / "b").exists()


def test_texts_of_nothing_but_white_space_are_one_line_and_exit_2(tmp_path, capsys, no_training):
    path = tmp_path / "t.csv"
    path.write_text('label,text\na," "\nb,\na,"\t"\n')
    assert main(["train", str(path), "--output", str(tmp_path / "b")]) == 2
    assert capsys.readouterr().err == (
        f"error: {path}: holds 3 empty or binary texts and no others; add some\n"
    )


def test_an_empty_class_folder_is_one_line_and_exit_2(data_dir, tmp_path, capsys, no_training):
    data = shutil.copytree(data_dir, tmp_path / "texts")
    (data / "sports").mkdir()
    assert main(["train", str(data), "--output", str(tmp_path / "b")]) == 2
    assert "class 'sports' holds no texts" in capsys.readouterr().err


def test_labels_only_the_test_file_has_are_refused(tmp_path, capsys, no_training):
    train = write_table(tmp_path / "train.csv", a=12, b=12)
    test = write_table(tmp_path / "test.csv", a=2, c=2)
    words = ["train", str(train), "--test", str(test), "--output", str(tmp_path / "b")]
    assert main(words) == 2
    assert "the label 'c' is not one trained on (a, b)" in capsys.readouterr().err


def test_a_place_that_holds_something_else_is_refused_before_training(
    data_dir, capsys, no_training
):
    assert main(["train", str(data_dir), "--output", str(data_dir)]) == 1
    assert "no part of a bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required"),
        (["train", "x"], "--output"),
        (["train", "x", "--output", "y", "--seed", "-1"], "'-1' is not a whole number"),
        (["train", "x", "--output", "y", "--epochs", "many"], "'many' is not a whole number"),
        (["train", "x", "--output", "y", "--learning-rate", "nan"], "'nan' is not a number above"),
        (["train", "x", "--output", "y", "--test-fraction", "0.9"], "at most 0.4"),
        (["train", "x", "--output", "y", "--ngrams", "3"], "'3' is not 1 or 2"),
        (["train", "x", "--output", "y", "--pieces", "2"], "'2' is not 0, or from 3 to 8"),
        (["train", "x", "--output", "y", "--pieces", "9"], "'9' is not 0, or from 3 to 8"),
        (["train", "x", "--output", "y", "--balance", "1.5"], "'1.5' is not a number from 0 to 1"),
        (["train", "x", "--output", "y", "--strength", "0"], "'0' is not a number above 0"),
        (["train", "x", "--output", "y", "--piece-weight", "-1"], "'-1' is not a number, 0 or"),
        (["train", "x", "--output", "y", "--refit", "some"], "'some' is not one of all, none"),
        (["train", "x", "--output", "y", "--require-accuracy", "90"], "from 0 to 1"),
        (["train", "x", "--output", "y", "--epoch", "3"], "unrecognized arguments: --epoch"),
    ],
)
def test_a_wrong_command_exits_with_2_and_names_the_value(capsys, words, message):
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert message in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_leaves_nothing(data_dir, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    words = ["train", str(data_dir), "--output", str(tmp_path / "b"), "--epochs", "1"]
    assert main(words) == 1
    assert "could not be written: No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_of_temporary_files_is_named(data_dir, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    words = ["train", str(data_dir), "--output", str(tmp_path / "b"), "--epochs", "1"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert f"error: {tempfile.gettempdir()} is full: free some of it, or set TMPDIR" in said
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_training_leaves_nothing_and_ends_with_a_clear_line(data_dir, tmp_path):
    words = ["train", data_dir, "--output", tmp_path / "b", "--epochs", "100000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "classifier", *map(str, words), "--patience", "100000"],
        cwd=SERVICE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stderr:
            if line.startswith("epoch  3/"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "error: interrupted; nothing was written"
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_stderr_holds_one_line_an_epoch_and_nothing_of_tensorflow(data_dir, tmp_path):
    done = run("train", data_dir, "--output", tmp_path / "b", "--epochs", "3")
    assert done.returncode == 0
    assert json.loads(done.stdout)["trained"] is True
    said = [line.split()[0] for line in done.stderr.splitlines()]
    assert [word for word in said if word != "INFO:"] == [
        "48", *["epoch"] * 3, *["linear"] * 2, "report:"
    ]  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "b.report"]


def test_evaluate_scores_a_bundle(bundle_dir, data_dir, capsys):
    assert main(["evaluate", str(bundle_dir), str(data_dir), "--json"]) == 0
    assert last_json(capsys) == {
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "texts": 60,
        "model_id": bundle.load(bundle_dir).model_id,
    }


def test_evaluate_counts_wrong_answers(bundle_dir, tmp_path, capsys):
    (tmp_path / "t.csv").write_text("label,text\nfood,the dog sleeps\nanimals,the dog sleeps\n")
    assert main(["evaluate", str(bundle_dir), str(tmp_path / "t.csv"), "--json"]) == 0
    assert last_json(capsys)["accuracy"] == 0.5


def test_evaluate_refuses_labels_the_bundle_does_not_know(bundle_dir, tmp_path, capsys):
    path = write_table(tmp_path / "t.csv", cars=1)
    assert main(["evaluate", str(bundle_dir), str(path)]) == 2
    assert "row ending at line 2 has the label 'cars', the bundle knows animals, food" in (
        capsys.readouterr().err
    )


def test_evaluate_without_texts_is_refused(bundle_dir, tmp_path, capsys):
    assert main(["evaluate", str(bundle_dir), str(write_table(tmp_path / "t.csv"))]) == 2
    assert "holds no texts to score" in capsys.readouterr().err


def test_predict_answers_each_text_in_order(bundle_dir, capsys):
    texts = ["Snow will last", "a cake with salt"]
    assert main(["predict", str(bundle_dir), *texts, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["text"], line["label"]) for line in lines] == [
        (texts[0], "weather"),
        (texts[1], "food"),
    ]
    assert set(lines[0]["probabilities"]) == {"animals", "food", "weather"}


def test_predict_prints_label_probability_and_text(bundle_dir, capsys):
    assert main(["predict", str(bundle_dir), "Snow will last"]) == 0
    label, probability, text = capsys.readouterr().out.rstrip("\n").split("  ")
    assert (label, text) == ("weather", "Snow will last")
    assert 0.34 < float(probability) <= 1


@pytest.mark.parametrize("command", ["evaluate", "predict", "neighbours"])
def test_a_bundle_that_is_none_is_one_line_and_exit_1(data_dir, tmp_path, capsys, command):
    assert main([command, str(tmp_path), str(data_dir)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/bundle.json: missing")


@pytest.mark.parametrize("text", ["", " \t\n"])
def test_predict_refuses_an_empty_text_before_it_answers_any(bundle_dir, capsys, text):
    assert main(["predict", str(bundle_dir), "Snow will last", text]) == 2
    said = capsys.readouterr()
    assert said.err == "error: text 2 of 2 is empty; give at least one word\n"
    assert said.out == ""


@pytest.mark.parametrize("words", [["evaluate"], ["predict"]])
def test_a_bundle_with_a_label_more_than_its_model_is_one_line_and_exit_1(
    own_bundle, data_dir, capsys, words
):
    path = own_bundle / bundle.CARD_NAME
    found = json.loads(path.read_text())
    found["labels"].append("plants")
    found["statistics"]["label_mix"]["plants"] = 0.0
    found["never_given"] = ["plants"]
    path.write_bytes(card.render(card.seal(found)))
    assert main([*words, str(own_bundle), str(data_dir)]) == 1
    said = capsys.readouterr()
    assert said.err == (
        f"error: {own_bundle}/model.tflite: gave (1, 3) numbers for 1 text and 4 labels\n"
    )
    assert said.out == ""


@pytest.mark.parametrize(
    "command", ["train", "evaluate", "compare", "neighbours", "vectors", "predict"]
)
def test_help_shows_examples_and_exit_codes(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"  python -m classifier {command} " in done.stdout
    assert "exit codes:" in done.stdout
    if command == "train":
        for adam in ("0.001", "0.9", "0.999", "1e-07"):
            assert f"default is {adam}" in " ".join(done.stdout.split())


def test_commands_other_than_train_need_no_tensorflow(bundle_dir, data_dir):
    code = (
        "import sys; from classifier.__main__ import main; "
        "main(['evaluate', *sys.argv[1:]]); main(['predict', sys.argv[1], 'rain']); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code, bundle_dir, data_dir], cwd=SERVICE, check=True, timeout=60
    )


def test_an_interrupted_read_is_no_traceback(monkeypatch, data_dir, tmp_path, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "prepare", interrupted)
    assert main(["train", str(data_dir), "--output", str(tmp_path / "b")]) == 130
    assert capsys.readouterr().err == "error: interrupted; nothing was written\n"


def test_a_reader_that_has_enough_is_no_error(bundle_dir):
    words = [sys.executable, "-m", "classifier", "predict", str(bundle_dir)]
    texts = [f"rain {number}" for number in range(5000)]
    process = subprocess.Popen(
        [*words, *texts], cwd=SERVICE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().startswith("weather")
    process.stdout.close()
    assert process.wait(30) == 0
    assert [line for line in process.stderr if not line.startswith("INFO")] == []


def test_a_place_that_cannot_be_written_is_one_line(bundle_dir, capsys):
    assert main(["vectors", str(bundle_dir), "--output", "/dev/null/x"]) == 1
    assert capsys.readouterr().err == "error: /dev/null/x: Not a directory\n"
