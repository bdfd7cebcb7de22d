"""The command line: `python -m classifier COMMAND`, run from service/; see `--help`."""

import errno
import os
import signal
import sys
import tempfile

INTERRUPTED = 130
INTERRUPTED_LINE = "interrupted; nothing was written"

if __name__ == "__main__":

    def _stop(*_: object) -> None:
        # Raised amid imports, KeyboardInterrupt would be a traceback.
        os.write(2, f"error: {INTERRUPTED_LINE}\n".encode())
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, _stop)

# Only now, so that an interrupt of these imports is seen to.
from classifier import bundle  # noqa: E402
from classifier.training import arguments  # noqa: E402
from classifier.training.errors import (  # noqa: E402
    DataError,
    ExportError,
    ModelFileError,
    TrainError,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = arguments.parser().parse_args(argv)
    try:
        return args.run(args)
    except (DataError, ModelFileError) as error:
        return _fail(error, 2)
    except (TrainError, ExportError, bundle.BundleError) as error:
        return _fail(error, 1)
    except BrokenPipeError:
        return _end_of_pipe()
    except OSError as error:
        return _fail(_describe(error), 1)
    except KeyboardInterrupt:
        return _fail(INTERRUPTED_LINE, INTERRUPTED)


def _describe(error: OSError) -> str:
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    if error.errno == errno.ENOSPC:
        folder = tempfile.gettempdir()
        return f"{folder} is full: free some of it, or set TMPDIR to a folder with more space"
    return error.strerror or str(error)


def _end_of_pipe() -> int:
    # Whoever read stdout has enough of it (head, less); Python's own flush at exit would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(error: object, code: int) -> int:
    line = " ".join(str(error).split())
    print(f"error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
