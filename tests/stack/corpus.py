"""Raw requests of which at most the first may be answered: each hides a second one, or is no HTTP.

As a program, on a host: `corpus.py WHERE...` reads {name: request in Latin-1} as JSON from stdin,
sends each to each place (tcp, tls, or the path of a socket), and prints {"place name": [statuses]}.
"""

import json
import re
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HIDDEN = "GET /v1/model?hidden HTTP/1.1\r\nHost: site\r\n\r\n"
AFTER = "\0" + HIDDEN  # where the first ends rightly, the next would be no fault: now it is no HTTP
TEXT = '{"text": "where is my parcel?"}'
CHUNKED = f"{len(TEXT):x}\r\n{TEXT}\r\n0\r\n\r\n"

BROKEN = {*range(500, 600)} - {501, 505}  # those two say what is not spoken here


def post(*headers, body=TEXT, line="POST /v1/classify HTTP/1.1"):
    head = [line, "Host: site", "Content-Type: application/json", *headers]
    return "\r\n".join(head) + "\r\n\r\n" + body


def get(line="GET /v1/model HTTP/1.1", *headers, host="Host: site"):
    return "\r\n".join([line, *([host] if host else []), *headers]) + "\r\n\r\n"


def requests():
    """{name: request}, each with HIDDEN where a parser that is fooled would look for the next."""
    length, short = f"Content-Length: {len(TEXT)}", "Content-Length: 4"
    coded = "Transfer-Encoding: chunked"
    made = {
        "both, length first": post(short, coded, body=CHUNKED + HIDDEN),
        "both, coding first": post(coded, short, body=CHUNKED + HIDDEN),
        "both, ended by 0": post("Content-Length: 6", coded, body="0\r\n\r\n" + HIDDEN),
        "two lengths": post(short, length, body=TEXT + HIDDEN),
        "two lengths, turned round": post(length, short, body=TEXT + HIDDEN),
        "two lengths in a line": post(f"Content-Length: 4, {len(TEXT)}", body=TEXT + HIDDEN),
        "the same length twice": post(length, length, body=TEXT + HIDDEN),
        "no length": post(body=AFTER),
        "a coding without chunks": post(coded, body=HIDDEN),
        "GET with a length that lies": get("GET /v1/model HTTP/1.1", "Content-Length: 0")
        + "X"
        + HIDDEN,
        "HTTP/1.0 with chunks": post(
            coded, body=CHUNKED + HIDDEN, line="POST /v1/classify HTTP/1.0"
        ),
        "HTTP/0.9": "GET /v1/model\r\n" + HIDDEN,
        "HTTP/1.2": get("GET /v1/model HTTP/1.2x") + HIDDEN,
        "HTTP/2 on a plain line": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
        "HTTP/9.9": get("GET /v1/model HTTP/9.9") + HIDDEN,
        "no host": get(host="") + AFTER,
        "two hosts": get("GET /v1/model HTTP/1.1", "Host: other") + HIDDEN,
        "a host with a path": get(host="Host: site/x") + AFTER,
        "a host with a space": get(host="Host: si te") + AFTER,
        "an empty host": get(host="Host:") + AFTER,
        "a space before the colon": get("GET /v1/model HTTP/1.1", "Content-Length : 5") + HIDDEN,
        "a folded header": get("GET /v1/model HTTP/1.1", "X-A: b\r\n c: d") + AFTER,
        "a header without colon": get("GET /v1/model HTTP/1.1", "Nonsense") + AFTER,
        "a header without name": get("GET /v1/model HTTP/1.1", ": value") + AFTER,
        "NUL in a header": get("GET /v1/model HTTP/1.1", "X-A: b\0c") + HIDDEN,
        "NUL in the path": get("GET /v1/\0model HTTP/1.1") + HIDDEN,
        "a bare carriage return": get("GET /v1/model HTTP/1.1", "X-A: b\rX-B: c") + AFTER,
        "bare line feeds": "GET /v1/model HTTP/1.1\nHost: site\nContent-Length: 0\n\n" + AFTER,
        "a tab in the line": get("GET\t/v1/model\tHTTP/1.1") + HIDDEN,
        "two spaces in the line": get("GET  /v1/model HTTP/1.1") + AFTER,
        "no path": get("GET HTTP/1.1") + HIDDEN,
        "no method": get(" /v1/model HTTP/1.1") + HIDDEN,
        "a method in small letters": get("get /v1/model HTTP/1.1") + AFTER,
        "an unknown method": get("FROB /v1/model HTTP/1.1") + AFTER,
        "a very long method": get("A" * 9000 + " / HTTP/1.1") + HIDDEN,
        "a very long path": get(f"GET /{'a' * 9000} HTTP/1.1") + HIDDEN,
        "a very long header": get("GET /v1/model HTTP/1.1", "X-A: " + "b" * 40_000) + HIDDEN,
        "very many headers": get("GET /v1/model HTTP/1.1", *[f"X-{n}: {n}" for n in range(5000)])
        + HIDDEN,
        "CONNECT": get("CONNECT site:443 HTTP/1.1") + HIDDEN,
        "TRACE": get("TRACE /v1/model HTTP/1.1") + AFTER,
        "a star": get("GET * HTTP/1.1") + HIDDEN,
        "another scheme": get("GET gopher://site/ HTTP/1.1") + AFTER,
        "out of the root": get("GET /../../etc/passwd HTTP/1.1") + AFTER,
        "out of the root, encoded": get("GET /assets/%2e%2e/%2e%2e/etc/passwd HTTP/1.1") + AFTER,
        "a broken escape": get("GET /%zz HTTP/1.1") + AFTER,
        "a line feed in the path": get("GET /v1/model%0d%0aX-A:%20b HTTP/1.1") + AFTER,
        "nothing but line ends": "\r\n" * 100 + AFTER,
        "noise": "".join(chr(n) for n in range(256)) * 4 + HIDDEN,
        "a TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\0" * 64 + HIDDEN,
        "Expect of something else": post(length, "Expect: 200-ok", body=TEXT + AFTER),
        "Upgrade to h2c": get(
            "GET /v1/model HTTP/1.1",
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        )
        + AFTER,
        "connection names the length": post(
            length, "Connection: Content-Length", body=TEXT + AFTER
        ),
    }
    for name, value in {
        "negative": "-1",
        "signed": f"+{len(TEXT)}",
        "hexadecimal": "0x1f",
        "empty": "",
        "a word": "many",
        "too large": "9" * 30,
        "spaced": "3 1",
        "fraction": "31.0",
        "underscore": "3_1",
        "NUL": "31\0",
    }.items():
        made[f"length: {name}"] = post(f"Content-Length: {value}", body=TEXT + AFTER)
    for name, value in {
        "identity": "identity",
        "twice": "chunked, chunked",
        "then identity": "chunked, identity",
        "misspelt": "xchunked",
        "tab": "\tchunked\x0b",
        "quoted": '"chunked"',
        "gzip": "gzip, chunked",
        "NUL": "chunked\0",
        "empty": "",
    }.items():
        made[f"coding: {name}"] = post(f"Transfer-Encoding: {value}", short, body=CHUNKED + AFTER)
    for name, body in {
        "no size": "\r\n" + HIDDEN,
        "negative": "-1\r\n" + HIDDEN,
        "words": "zz\r\n" + HIDDEN,
        "too large": "f" * 20 + "\r\n" + HIDDEN,
        "0x": f"0x1f\r\n{TEXT}\r\n0\r\n\r\n" + AFTER,
        "too short": f"3\r\n{TEXT}\r\n0\r\n\r\n" + AFTER,
        "no end": f"1f\r\n{TEXT}\r\n" + AFTER,
        "bare line feed": f"1f\n{TEXT}\n0\n\n" + AFTER,
        "a trailer that matters": f"1f\r\n{TEXT}\r\n0\r\nContent-Length: 9\r\nHost: other\r\n\r\n"
        + AFTER,
        "an extension with NUL": f"1f;a=\0\r\n{TEXT}\r\n0\r\n\r\n" + AFTER,
    }.items():
        made[f"chunk: {name}"] = post(coded, body=body)
    return made


def answers(where, request, port=80, tls_port=443):
    """The statuses of all that a place answers to one request on one connection, in order."""
    if where in ("tcp", "tls"):
        connection = socket.create_connection(("127.0.0.1", port if where == "tcp" else tls_port))
    else:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(where)
    connection.settimeout(15)
    if where == "tls":
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        connection = trust.wrap_socket(connection, server_hostname="site")
    said = b""
    with connection:
        try:
            connection.sendall(request.encode("latin-1"))
            if where != "tls":
                connection.shutdown(socket.SHUT_WR)
            while got := connection.recv(65_536):
                said += got
        except (ConnectionError, TimeoutError, ssl.SSLError):
            pass  # cut off: what was said until then counts
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", said)]


def sent_from(host, *places):
    """Send all of them from a host itself: {"place name": statuses}."""
    host.send(Path(__file__).read_bytes(), "/run/corpus.py")
    done = subprocess.run(
        ["docker", "exec", "--interactive", host.name, "python3", "/run/corpus.py", *places],
        input=json.dumps(requests()).encode(), capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    return json.loads(done.stdout)


def main():
    given = json.load(sys.stdin)
    asked = [(where, name) for where in sys.argv[1:] for name in given]
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda each: answers(each[0], given[each[1]]), asked))
    print(
        json.dumps(
            {
                f"{where} {name}": statuses
                for (where, name), statuses in zip(asked, found, strict=True)
            }
        )
    )


if __name__ == "__main__":
    main()
