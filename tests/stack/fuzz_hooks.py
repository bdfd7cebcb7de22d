"""What the fuzzer does not know by itself: how a stream of lines is sent."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def as_text(_context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
