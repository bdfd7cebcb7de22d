"""Which words a report shows as those that speak most for a label."""

import numpy
from classifier.training import words

VOCABULARY = ["tea", "milk", "tea milk", " <te", " ilk>"]
FIRST_ID = 2
FOR_DRINKS = numpy.array([0, 0, 2, 1, 3, 9, 9], numpy.float32)  # what each id adds to a logit


def network(batch, *, training):
    assert not training
    drinks = FOR_DRINKS[batch].sum(axis=1)
    return numpy.stack([drinks, -drinks], axis=1)


def strongest(texts):
    return words.strongest(network, VOCABULARY, ["drinks", "tools"], texts)


def test_the_strongest_come_first_and_pieces_of_words_not_at_all():
    ids = list(range(FIRST_ID, FIRST_ID + len(VOCABULARY)))
    found = strongest([ids] * 3)
    assert found == {"drinks": ["tea milk", "tea", "milk"], "tools": []}


def test_pieces_leave_their_room_to_words(monkeypatch):
    monkeypatch.setattr(words, "_MOST_TOKENS", 1)
    assert strongest([[5, 2], [5, 6], [5, 6]])["drinks"] == ["tea"]
