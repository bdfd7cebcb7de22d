"""What a training run can be told. Free of TensorFlow."""

from dataclasses import dataclass

CACHE_PLACES = ("auto", "memory", "disk", "none")
REFITS = ("all", "none")
MEMORY_LIMIT_BYTES = 256 * 2**20  # of ids, what the cache place "auto" keeps in memory


@dataclass(frozen=True)
class Settings:
    """Everything that decides which model comes out of the data; the defaults fit any of it."""

    ngrams: int = 2
    max_tokens: int = 100_000
    min_count: int = 1
    max_length: int = 4096
    pieces: int = 5
    max_pieces: int = 30_000
    piece_weight: float = 0.5
    strength: float = 1.0
    balance: float = 0.0
    refit: str = "all"
    dimensions: int = 16
    vector_weight: float = 0.03
    token_dropout: float = 0.5
    dropout: float = 0.3
    batch_size: int = 0  # 0: by the number of texts
    shuffle_buffer: int = 16_384
    cache: str = "auto"
    epochs: int = 30
    patience: int = 3
    learning_rate: float = 0.005
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    bundle_megabytes: float = 28.0
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    seed: int = 1
