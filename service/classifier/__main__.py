"""The command line: `python -m classifier COMMAND`, run from service/; see `--help`."""

import sys

from classifier import arguments, bundle
from classifier.training.errors import DataError, ExportError, ModelFileError, TrainError

INTERRUPTED = 130


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
        named = f"{error.filename}: " if error.filename else ""
        return _fail(f"{named}{error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", INTERRUPTED)


def _end_of_pipe() -> int:
    # Whoever read stdout has enough of it (head, less); Python would complain once more at exit.
    sys.stdout = None
    return 0


def _fail(error: object, code: int) -> int:
    line = " ".join(str(error).split())
    print(f"error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
