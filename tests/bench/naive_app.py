"""The naive way: a Keras model that takes text, and model.predict in the request."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from flask import Flask, request

app = Flask(__name__, static_folder=None)
model = keras.saving.load_model(os.environ["BENCH_KERAS_MODEL"])
LABELS = os.environ["BENCH_LABELS"].split(",")


@app.post("/v1/classify")
def classify() -> dict:
    """Label one text."""
    values = model.predict(tf.constant([[request.get_json()["text"]]]), verbose=0)[0].tolist()
    best = max(range(len(values)), key=values.__getitem__)
    result = {
        "label": LABELS[best],
        "probability": values[best],
        "probabilities": dict(zip(LABELS, values, strict=True)),
    }
    return {"results": [result], "model_id": "naive", "release_id": "bench"}
