"""What the model learned of words can be looked at, without TensorFlow."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from classifier import bundle
from classifier.__main__ import main
from classifier.training import embedding

SERVICE = Path(__file__).parents[2] / "service"


def test_the_nearest_words_come_first_and_the_word_itself_never(bundle_dir):
    found = embedding.neighbours(bundle_dir, "dog", 5)
    cosines = [item.cosine for item in found]
    assert len(found) == 5
    assert cosines == sorted(cosines, reverse=True)
    assert all(-1.001 <= cosine <= 1.001 for cosine in cosines)
    assert "dog" not in {item.word for item in found}


def test_cosines_are_those_of_the_vectors(bundle_dir):
    loaded = bundle.load(bundle_dir)
    vectors = embedding.read_vectors(loaded)
    nearest = embedding.neighbours(bundle_dir, " BREAD ", 1)[0]  # cleaned as texts are
    one, other = (vectors[loaded.vocabulary.index(word)] for word in ("bread", nearest.word))
    expected = one @ other / numpy.linalg.norm(one) / numpy.linalg.norm(other)
    assert nearest.cosine == pytest.approx(float(expected), abs=1e-5)


def test_no_more_neighbours_than_there_are_words(bundle_dir):
    known = bundle.load(bundle_dir).tokenizer.words
    assert len(embedding.neighbours(bundle_dir, "dog", 10**6)) == known - 1


def test_the_vectors_are_those_of_the_network_row_by_row(bundle_dir, tmp_path, capsys):
    assert main(["vectors", str(bundle_dir), "--output", str(tmp_path / "v")]) == 0
    line = json.loads(capsys.readouterr().out)
    loaded = bundle.load(bundle_dir)
    words = (tmp_path / "v" / "metadata.tsv").read_text(encoding="utf-8").split("\n")
    rows = numpy.loadtxt(tmp_path / "v" / "vectors.tsv", delimiter="\t", ndmin=2)
    assert tuple(words[:-1]) == loaded.vocabulary[: loaded.tokenizer.words]
    assert rows.shape == (line["tokens"], line["dimensions"])
    assert rows == pytest.approx(embedding.read_vectors(loaded), rel=1e-5, abs=1e-9)
    assert sorted(p.name for p in (tmp_path / "v").iterdir()) == ["metadata.tsv", "vectors.tsv"]


def test_an_unknown_word_is_refused_with_similar_ones(bundle_dir, capsys):
    assert main(["neighbours", str(bundle_dir), "brea"]) == 2
    assert "does not know 'brea'; it knows 'bread'" in capsys.readouterr().err


def test_a_model_without_an_embedding_is_refused(bundle_dir, tmp_path, capsys):
    sound = bundle.load(bundle_dir)
    names = ("vocabulary", "labels", "tokenizer", "limits", "metrics", "golden")
    names += ("calibration", "statistics", "terms")
    made = bundle.write(
        tmp_path / "bundle",
        model=sound.model_path.read_bytes(),
        training=sound.card["training"],
        embedding={"tensor": "", "dimensions": 0},
        **{name: getattr(sound, name) for name in names},
    )
    assert main(["neighbours", str(made.path), "dog"]) == 1
    assert "has no embedding" in capsys.readouterr().err


def test_the_commands_need_no_tensorflow(bundle_dir, data_dir, tmp_path):
    code = (
        "import sys; from classifier.__main__ import main; bundle, data, out = sys.argv[1:]; "
        "main(['neighbours', bundle, 'dog']); main(['vectors', bundle, '--output', out]); "
        "main(['compare', bundle, bundle, data]); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    words = [shutil.copytree(bundle_dir, tmp_path / "b"), data_dir, tmp_path / "v"]
    subprocess.run([sys.executable, "-c", code, *words], cwd=SERVICE, check=True, timeout=60)


class Quantised:
    """An interpreter that holds one table in 8 bits."""

    def get_tensor(self, index):
        return numpy.array([[10, -20], [0, 5]], numpy.int8)


@pytest.mark.parametrize(
    ("scales", "zeros", "along", "expected"),
    [
        ([0.5], [0], 0, [[5, -10], [0, 2.5]]),
        ([0.5, 2], [0, 1], 0, [[5, -10], [-2, 8]]),
        ([0.5, 2], [0, 0], 1, [[5, -40], [0, 10]]),
    ],
)
def test_a_table_of_few_bits_is_read_as_numbers(scales, zeros, along, expected):
    found = {"scales": numpy.array(scales), "zero_points": numpy.array(zeros)}
    tensor = {"index": 0, "quantization_parameters": found | {"quantized_dimension": along}}
    assert embedding.tensor_values(Quantised(), tensor).tolist() == expected
