"""Progress while training, on stderr: a line an epoch, and in a terminal one that moves."""

import sys
import time
from typing import Any, TextIO

import keras

from classifier.training.durations import duration

_REDRAW_SECONDS = 0.2
_CLEAR = "\r\x1b[K"


class Progress(keras.callbacks.Callback):
    """Tells after each epoch how it went and how long the rest takes at most.

    Training mostly stops early, so the time left is the longest it can be.
    """

    def __init__(self, epochs: int, stream: TextIO | None = None) -> None:
        super().__init__()
        self._epochs = epochs
        self._stream = stream or sys.stderr
        self._moves = self._stream.isatty()
        self._started = self._epoch_started = self._drawn = 0.0
        self._steps = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras
        """Start the clock."""
        self._started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock of the epoch."""
        self._epoch_started = self._drawn = time.monotonic()
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Move the line in a terminal."""
        now = time.monotonic()
        if not self._moves or now - self._drawn < _REDRAW_SECONDS:
            return
        self._drawn = now
        self._steps = (self.params or {}).get("steps") or self._steps
        line = f"epoch {self._epoch + 1:2}/{self._epochs}  step {batch + 1}"
        if self._steps:
            share = (batch + 1) / self._steps
            rest = (now - self._epoch_started) * (1 / share - 1)
            line += f"/{self._steps}  {duration(max(rest, 0))} left in this epoch"
        print(f"{_CLEAR}{line}", end="", file=self._stream, flush=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the line of the epoch."""
        logs = logs or {}
        if self._moves:
            print(_CLEAR, end="", file=self._stream)
        if "val_plain_loss" not in logs:
            return  # ended by a loss that is no number
        now = time.monotonic()
        left = (now - self._started) / (epoch + 1) * (self._epochs - epoch - 1)
        print(
            f"epoch {epoch + 1:2}/{self._epochs}  loss {logs['plain_loss']:.4f}  "
            f"validation loss {logs['val_plain_loss']:.4f}  "
            f"accuracy {logs['val_accuracy']:.4f}  {now - self._epoch_started:.1f} s, "
            f"at most {duration(left)} left",
            file=self._stream,
            flush=True,
        )


class LinearProgress:
    """Tells how many labels the linear part is fitted to, and how long the rest takes.

    Call it with the number of labels that are done and of all.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._started = time.monotonic()

    def __call__(self, done: int, labels: int) -> None:
        """Write a line."""
        taken = time.monotonic() - self._started
        left = taken / done * (labels - done)
        print(
            f"linear part  label {done}/{labels}  {taken:.1f} s, {duration(left)} left",
            file=self._stream,
            flush=True,
        )
