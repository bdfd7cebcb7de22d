"""What can go wrong in training, each told in one line. Free of TensorFlow."""


class DataError(Exception):
    """Data that cannot be trained on: what, the value and the next step."""


class TrainError(Exception):
    """A training run that gave no usable model: the cause and the next step."""


class ExportError(Exception):
    """A network that LiteRT cannot express, or not equally: the cause."""


class ModelFileError(Exception):
    """A Python file given as the model that holds no usable one: the cause and the next step."""
