"""What a training run can be told. Free of TensorFlow."""

from dataclasses import dataclass

CACHE_PLACES = ("auto", "memory", "disk", "none")
MEMORY_LIMIT_BYTES = 256 * 2**20  # of ids, what the cache place "auto" keeps in memory


@dataclass(frozen=True)
class Settings:
    """Everything that decides which model comes out of the data; the defaults fit any of it."""

    ngrams: int = 2
    max_tokens: int = 100_000
    min_count: int = 2
    max_length: int = 1024
    dimensions: int = 16
    token_dropout: float = 0.3
    dropout: float = 0.3
    strength: float = 30.0
    batch_size: int = 0  # 0: by the number of texts
    shuffle_buffer: int = 16_384
    cache: str = "auto"
    epochs: int = 100
    patience: int = 4
    learning_rate: float = 0.002
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    bundle_megabytes: float = 28.0
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    seed: int = 1
