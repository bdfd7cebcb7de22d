"""Progress: one line an epoch, and in a terminal one that moves."""

import io

import pytest
from classifier.training.durations import duration
from classifier.training.progress import LinearProgress, Progress

LOGS = {"plain_loss": 0.5, "val_plain_loss": 0.6, "val_accuracy": 0.9}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream, monkeypatch):
    """Two epochs of four steps, each step a second."""
    now = iter(range(1000))
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    progress = Progress(5, stream)
    progress.set_params({"steps": 4})
    progress.on_train_begin()
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        for step in range(4):
            progress.on_train_batch_end(step)
        progress.on_epoch_end(epoch, LOGS)
    return stream.getvalue()


def test_a_log_gets_one_line_an_epoch_with_the_time_left(monkeypatch):
    lines = run(io.StringIO(), monkeypatch).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch  1/5  loss 0.5000  validation loss 0.6000  accuracy 0.9000")
    assert lines[0].endswith("s, at most 24 s left")


def test_a_terminal_gets_a_line_that_moves_and_is_cleared(monkeypatch):
    said = run(Terminal(), monkeypatch)
    assert "\r\x1b[Kepoch  1/5  step 2/4  " in said
    assert "left in this epoch" in said
    assert said.count("\n") == 2


def test_the_linear_part_tells_how_many_labels_are_done_and_how_long_the_rest_takes(monkeypatch):
    now = iter([100.0, 110.0, 140.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    said = io.StringIO()
    progress = LinearProgress(said)
    progress(5, 20)
    progress(20, 20)
    assert said.getvalue().splitlines() == [
        "linear part  label 5/20  10.0 s, 30 s left",
        "linear part  label 20/20  40.0 s, 0 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59.4, "59 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")]
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert duration(seconds) == said
