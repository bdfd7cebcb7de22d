"""Texts and numbers as the page shows them."""

import pytest

N = "\u00a0"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, f"0.0{N}%"), (1e-6, f"<{N}0.1{N}%"), (0.5, f"50.0{N}%"), (0.99951, f">{N}99.9{N}%"),
     (1, f"100.0{N}%")],
)  # fmt: skip
def test_a_share_never_looks_whole_when_it_is_not(call, share, shown):
    assert call("text.js", "percent", share) == shown


@pytest.mark.parametrize(("probability", "shown"), [(0, f"<{N}0.1{N}%"), (1, f">{N}99.9{N}%")])
def test_a_models_probability_is_never_shown_as_certain(call, probability, shown):
    assert call("text.js", "chance", probability) == shown


@pytest.mark.parametrize("text", ["", "abc", "é", "🙂", "a🙂b🙂", "שלום", "e\u0301"])
def test_characters_are_counted_as_the_service_counts(call, text):
    assert call("text.js", "length", text) == len(text)


def test_half_of_a_pair_is_one_character(call):
    assert call("text.js", "length", "a\ud83d") == 2


@pytest.mark.parametrize(
    "text", ["refund my card", "🙂 refund 🙂🙂 my, card!", "  גדר refund\n\nשבת  ", "x" * 50]
)
def test_pieces_join_to_the_text_and_words_are_those_that_the_service_names(call, text):
    words, at = [], 0
    for place, word in enumerate(text.split()):
        at = text.index(word, at)
        words.append({"word": word, "start": at, "end": at + len(word), "weight": place + 1})
        at += len(word)
    pieces = call("text.js", "pieces", text, words)
    assert "".join(piece["text"] for piece in pieces) == text
    weighed = [(piece["text"], piece["weight"]) for piece in pieces if piece["weight"]]
    assert weighed == [(word["word"], word["weight"]) for word in words]


def test_words_that_overlap_or_lie_beyond_the_text_break_nothing(call):
    words = [
        {"word": "b", "start": 1, "end": 2, "weight": 1},
        {"word": "ab", "start": 0, "end": 2, "weight": 1},
        {"word": "z", "start": 90, "end": 99, "weight": 1},
    ]
    assert "".join(piece["text"] for piece in call("text.js", "pieces", "abc", words)) == "abc"


def test_the_strongest_words_are_summed_over_their_places(call):
    words = [{"word": word, "weight": weight} for word, weight in
             [("My", 1), ("my", 2), ("card", 2.5), ("no", -1), ("the", 0.001)]]  # fmt: skip
    assert call("text.js", "strongest", words, 1, 5) == [
        {"word": "my", "weight": 3}, {"word": "card", "weight": 2.5}
    ]  # fmt: skip
    assert call("text.js", "strongest", words, -1, 5) == [{"word": "no", "weight": -1}]
