"""Score a bundle on labelled texts, exactly as a host would answer them. Free of TensorFlow."""

import os
import sys

from classifier import bundle
from classifier.serving.predict import Predictor
from classifier.training.errors import DataError
from classifier.training.notices import Notices
from classifier.training.scores import Scores
from classifier.training.sources import clean, open_source, problem


def evaluate(
    bundle_path: str | os.PathLike[str], data_path: str | os.PathLike[str]
) -> tuple[Scores, str]:
    """Return the scores on all usable texts at `data_path`, and the bundle's model_id."""
    loaded = bundle.load(bundle_path)
    source, predictor = open_source(data_path), Predictor(loaded)
    scores, notices = Scores(), Notices()
    for label, raw, where in source.read():
        notices.take(problem(raw), where)
        text = clean(raw).decode()
        if not text:
            continue
        if label not in loaded.labels:
            known = ", ".join(loaded.labels[:20])
            raise DataError(
                f"{source.path}: {where} has the label {label!r}, the bundle knows {known}; "
                "evaluate on texts with the labels it was trained on"
            )
        [prediction] = predictor.predict([text])
        scores.add(label, prediction.label)
    notices.say(source.path, sys.stderr)
    if not scores.texts:
        raise DataError(f"{source.path}: holds no texts to score; give labelled texts")
    return scores, loaded.model_id
