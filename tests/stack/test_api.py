"""The interface through the deployed Nginx, against clients that err, leave, crowd or send much."""

import http.client
import json
import random
import re
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from classifier import bundle as bundles
from classifier.serving.predict import Predictor

LEAVING = [
    b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n",
    b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 99\r\n\r\n{"text": "wh',
    b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 17\r\n\r\n{"text": "hello"}',
    b"POST /v1/classify/stream HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n14\r\n{"text": "hello"}\n',
    b"POST /v1/explain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 17\r\n\r\n{"text": "hello"}',
]


def ask(host, path, body):
    with closing(http.client.HTTPConnection(host.address, timeout=30)) as connection:
        while True:
            data = json.dumps(body)
            connection.request("POST", path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.load(response)
            if response.status != 429:
                return response.status, answer


def leave(host, head):
    """Begin a request, and reset the connection in the midst of it."""
    with socket.create_connection((host.address, 80)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(head)


def tasks(host):
    slot = host.status()["slot"]
    unit = f"classifier@{slot}.service"
    return int(host.shell(f"systemctl show --value --property TasksCurrent {unit}"))


def resident_kib(host):
    """Memory of the workers and of Nginx that is not shared with others, at its highest so far."""
    slot = host.status()["slot"]
    main = f"$(systemctl show --value --property MainPID classifier@{slot}.service)"
    pids = f"pgrep nginx; pgrep --parent {main}"
    said = host.shell(f"for pid in $({pids}); do grep VmHWM /proc/$pid/status; done")
    return [int(line.split()[1]) for line in said.splitlines()]


def stream(host, count):
    """Send `count` lines as they are made, and yield the answers as they come."""
    made = (
        json.dumps({"id": number, "text": f"parcel {number} has not arrived"}).encode() + b"\n"
        for number in range(count)
    )
    with closing(http.client.HTTPConnection(host.address, timeout=120)) as connection:
        headers = {"Content-Type": "application/x-ndjson"}
        connection.request("POST", "/v1/classify/stream", made, headers, encode_chunked=True)
        response = connection.getresponse()
        assert response.status == 200
        yield from map(json.loads, response)


def readme_examples():
    """What the README shows to be typed at a running service, with its continued lines."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    commands = re.findall(r"^    ((?:curl|printf) (?:.*\\\n)*.*)$", text, re.MULTILINE)
    programs = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [*(["sh", "-c", command] for command in commands),
            *([sys.executable, "-c", program] for program in programs)]  # fmt: skip


@pytest.mark.parametrize("words", readme_examples(), ids=lambda words: words[2][:60])
def test_an_example_of_the_readme_works_as_printed(run, host, words):
    assert "127.0.0.1:8080" in words[2]
    said = run(*(word.replace("127.0.0.1:8080", host.address) for word in words)).stdout
    assert re.search("billing|delivery", said)


def test_the_readme_has_examples():
    assert len(readme_examples()) >= 5


def fuzz(run, root, host, seed, cases):
    done = run(
        "schemathesis", "run", f"http://{host.address}/openapi.json", "--checks", "all",
        "--seed", seed, "--max-examples", cases, "--no-color", "--suppress-health-check", "all",
        folder=root / "tests/stack", check=False, timeout=1500, SCHEMATHESIS_HOOKS="fuzz_hooks",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return int(done.stdout.split("Test cases:")[1].split()[0])


@pytest.mark.timeout(600)
def test_a_fuzzer_finds_nothing(run, root, host):
    assert fuzz(run, root, host, seed=1, cases=15) >= 100


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fuzzer_finds_nothing_in_a_thousand_cases(run, root, host, seed):
    assert fuzz(run, root, host, seed=seed, cases=400) >= 1000


@pytest.mark.timeout(300)
def test_clients_that_leave_midway_leave_no_thread_behind(host):
    since = host.shell("date +%s").strip()
    for text in ["warm up"] * 20:
        ask(host, "/v1/classify", {"text": text})
    for head in LEAVING * 4:
        leave(host, head)
    ask(host, "/v1/classify", {"texts": ["hello"] * 64})
    before = tasks(host)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: leave(host, LEAVING[number % len(LEAVING)]), range(500)))
    status, _ = ask(host, "/v1/classify", {"text": "hello"})
    assert status == 200
    assert tasks(host) <= before + 2
    said = host.shell(f"journalctl --no-pager --unit 'classifier@*' --since @{since}")
    assert "Traceback" not in said


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", ["/v1/classify", "/v1/explain"])
def test_answers_to_500_texts_at_once_never_cross(host, sample_bundle, path):
    bundle = bundles.load(sample_bundle)
    dice = random.Random(11)  # noqa: S311 - a repeatable mix, not a secret
    words = [token for token in bundle.vocabulary if " " not in token]
    texts = [f"{n} " + " ".join(dice.choices(words, k=1 + n % 20)) for n in range(500)]
    expected = Predictor(bundle).predict(texts)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda text: ask(host, path, {"text": text})[1], texts))
    found = [answer["results"][0] if "results" in answer else answer for answer in answers]
    assert [each["label"] for each in found] == [each.label for each in expected]
    given = [each["probability"] for each in found]
    assert given == pytest.approx([each.probability for each in expected], abs=1e-5)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.prove)])
def test_a_stream_of_texts_is_answered_in_order_and_takes_no_more_memory(host, count):
    assert len(list(stream(host, 1_000))) == 1_000
    before = resident_kib(host)
    numbers = 0
    for answer in stream(host, count):
        assert answer["id"] == numbers
        assert answer["label"] == "delivery"
        numbers += 1
    assert numbers == count
    # Either worker may have been the one; what it holds stays far below what was sent
    grown = [after - less for after, less in zip(resident_kib(host), before, strict=True)]
    assert max(grown) < 4_096
