"""The shapes of requests and answers, as types: what openapi.json is generated from.

Requests are checked by `requests`, whose refusals say more than a validator would; tests compare.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from classifier.bundle import Bundle
from classifier.serving.record import REQUEST_ID_PATTERN

Probability = Annotated[float, Meta(ge=0, le=1)]


class Identified(Struct, kw_only=True):
    """Who answers: the model, the release of the service, and the request's own id."""

    model_id: str
    release_id: str
    request_id: str


class Answer(Struct):
    """What is said of one text; `probabilities` has the likeliest label first."""

    label: str | None
    abstained: bool
    probability: Probability
    probabilities: dict[str, Probability]


class Classified(Identified):
    """An answer for each text, in their order."""

    results: list[Answer]


class Word(Struct):
    """A word as it stands in the text, from character `start` up to `end`, and its weight."""

    word: str
    start: int
    end: int
    weight: float


class Explained(Identified):
    """Why a label got its score: `bias` and the weights of all words add up to it."""

    label: str
    probability: Probability
    score: float
    bias: float
    words: list[Word]
    method: Literal["additive", "occlusion"]


class Limits(Struct):
    """Characters of a text, and texts of a request, at the most."""

    text_chars: int
    batch_texts: int


class ModelCard(Identified):
    """What the model is, and how well it did on texts that it had not seen."""

    created: str
    labels: list[str]
    limits: Limits
    metrics: dict[str, Any]


class Kept(Identified):
    """Feedback that is on the disk."""

    kept: bool


class Health(Struct):
    """The process lives."""

    status: Literal["ok"]
    request_id: str


class Readiness(Identified):
    """A worker that has predicted."""

    status: Literal["ready"]
    workers: int


class ErrorFacts(Struct):
    """A code for programs, and one line for people."""

    code: str
    message: str


class Refusal(Struct):
    """Every answer but 200."""

    error: ErrorFacts
    request_id: str


def request_models(bundle: Bundle) -> dict[str, tuple[type, ...]]:
    """Return for each endpoint the types, one of which its body has, in the limits of `bundle`."""
    limits = bundle.limits
    # Not only of what Python takes for space, which is a little more than \s elsewhere
    pattern = r"[^\s\x1c-\x1f\x85]"
    bounded = Meta(min_length=1, max_length=limits.text_chars, pattern=pattern)
    one_text, one_label = Annotated[str, bounded], Literal[bundle.labels]
    many_texts = Annotated[list[one_text], Meta(min_length=1, max_length=limits.batch_texts)]
    given_id = Annotated[str, Meta(pattern=f"^{REQUEST_ID_PATTERN.pattern}$")]

    class Options(Struct, kw_only=True, forbid_unknown_fields=True):
        top: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
        threshold: Probability | UnsetType = UNSET

    class ClassifyOne(Options):
        """One text."""

        text: one_text

    class ClassifyMany(Options):
        """Several texts."""

        texts: many_texts

    class Explain(Struct, forbid_unknown_fields=True):
        """A text, and the label to explain: the likeliest one without."""

        text: one_text
        label: one_label | UnsetType = UNSET

    class Feedback(Struct, forbid_unknown_fields=True):
        """The right label for a request."""

        request_id: given_id
        label: one_label

    return {
        "classify": (ClassifyOne, ClassifyMany),
        "explain": (Explain,),
        "take_feedback": (Feedback,),
    }


ANSWER_MODELS: dict[str, type] = {
    "classify": Classified,
    "explain": Explained,
    "show_model": ModelCard,
    "take_feedback": Kept,
    "show_health": Health,
    "show_readiness": Readiness,
}
