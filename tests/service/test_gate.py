import json
import math
import socket
import socketserver
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path

import pytest
from classifier import bundle as bundles
from classifier.card import TERM_NAMES
from classifier.serving import gate
from classifier.traffic import Traffic

RELEASE_ID = "20260102T030405-abc1234"
LABELS = ("billing", "bug")
RIGHT = {"label": "bug", "probability": 0.63}  # the answer to "text 3"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle whose model nobody runs: the fakes below answer from its golden texts."""
    golden = [
        bundles.GoldenText(f"text {number}", LABELS[number % 2], 0.6 + number / 100)
        for number in range(8)
    ]
    traffic = Traffic(LABELS, ["text"])
    traffic.add(["text"], LABELS[0], 0.75)
    return bundles.write(
        tmp_path_factory.mktemp("gate") / "bundle",
        model=b"\x1c\0\0\0TFL3",
        vocabulary=["text"],
        labels=LABELS,
        tokenizer=bundles.TokenizerSettings(
            kind="bag", ngrams=1, words=1, pairs=0, pieces=0, max_tokens=3, max_length=8
        ),
        limits=bundles.Limits(),
        metrics={"accuracy": 1.0, "macro_f1": 1.0, "held_out_texts": 2, "training_texts": 8},
        golden=golden,
        calibration=dict.fromkeys(("temperature", "ece_before", "ece_after"), 1.0)
        | {"bins": 15, "texts": 2},
        statistics=traffic.summary(),
        embedding={"tensor": "", "dimensions": 0},
        terms=dict.fromkeys(TERM_NAMES, ""),
        training={
            "source": "texts",
            "data_digest": "0" * 64,
            "settings": {},
            "versions": {},
            "seed": 1,
            "duration_seconds": 1.0,
        },
    )


class Fake:
    """A service that answers as it should; each test spoils one thing in it."""

    def __init__(self, bundle):
        self.identity = {"model_id": bundle.model_id, "release_id": RELEASE_ID}
        self.answers = {
            golden.text: {"label": golden.label, "probability": golden.probability}
            for golden in bundle.golden
        }
        self.workers = 2
        self.worker_names = ["101", "102"]
        self.readiness = {"status": "ready"}
        self.statuses = {"/readyz": 200, "/v1/classify": 200}
        self.delay_seconds = 0.0
        self.asked = []  # (worker, text), as classified
        self._connections = count()

    def answer(self, worker: str, path: str, body: dict) -> tuple[int, dict]:
        if path == "/readyz":
            answer = {**self.readiness, **self.identity, "workers": self.workers}
            return self.statuses[path], answer
        time.sleep(self.delay_seconds)
        self.asked.append((worker, body["text"]))
        answer = {"results": [self.answers[body["text"]]], **self.identity}
        return self.statuses[path], answer

    def serve(self, connection: socket.socket) -> None:
        fake = self
        worker = self.worker_names[next(self._connections) % len(self.worker_names)]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.reply({})

            def do_POST(self):
                self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def reply(self, body):
                status, answer = fake.answer(worker, self.path, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                if worker and self.path == "/readyz":
                    self.send_header("X-Worker", worker)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        Handler(connection, ("", 0), None)


@contextmanager
def listening(path: Path, serve):
    """Let `serve` handle each connection to the Unix socket `path`, in a thread of its own."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with suppress(OSError):  # the gate may turn away
                serve(self.request)

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def socket_path(tmp_path):
    return tmp_path / "http.sock"


@pytest.fixture
def run_gate(bundle, socket_path, capsys):
    """Run the command against whatever listens; return its report and exit code."""

    def run(*options: str, timeout: float = 1.0) -> tuple[dict, int]:
        begun = time.monotonic()
        code = gate.main(
            [
                f"--socket={socket_path}",
                f"--bundle={bundle.path}",
                f"--release-id={RELEASE_ID}",
                f"--timeout={timeout}",
                *options,
            ]
        )
        assert time.monotonic() - begun < timeout + 0.5
        output = capsys.readouterr().out
        assert output.count("\n") == 1
        return json.loads(output), code

    return run


@pytest.fixture
def fake(bundle):
    return Fake(bundle)


@pytest.fixture
def refusal(run_gate, socket_path):
    """Return why the gate refuses what `serve` answers."""

    def refuse(serve, *options: str, timeout: float = 1.0) -> dict:
        with listening(socket_path, serve):
            report, code = run_gate(*options, timeout=timeout)
        return failure_of(report, code)

    return refuse


def failure_of(report: dict, code: int) -> dict:
    assert code == 1
    assert report["passed"] is False
    assert report["failure"].keys() == {"cause", "expected", "got"}
    assert "\n" not in report["failure"]["cause"]
    if report["checks"]:
        assert report["checks"][-1]["passed"] is False
        assert all(check["passed"] for check in report["checks"][:-1])
    return report["failure"]


def test_a_sound_service_passes(run_gate, fake, socket_path, bundle):
    with listening(socket_path, fake.serve):
        report, code = run_gate(timeout=5)
    assert code == 0
    assert report["passed"] is True
    assert report["failure"] is None
    assert [check["check"] for check in report["checks"]] == ["readiness", "answers", "latency"]
    assert all(check["passed"] for check in report["checks"])
    assert 0 < report["seconds"] < 5
    asked = {(worker, golden.text) for worker in ("101", "102") for golden in bundle.golden}
    assert set(fake.asked) == asked


def test_a_service_that_starts_late_passes(run_gate, fake, socket_path):
    with listening(socket_path, fake.serve):
        fake.statuses["/readyz"] = 503
        threading.Timer(0.3, fake.statuses.update, [{"/readyz": 200}]).start()
        report, code = run_gate(timeout=5)
    assert (report["passed"], code) == (True, 0)
    assert report["seconds"] > 0.25


def test_nobody_listening_is_refused(run_gate, socket_path):
    failure = failure_of(*run_gate())
    assert str(socket_path) in failure["cause"]
    assert "No such file" in failure["got"]


def test_a_socket_that_nobody_serves_is_refused(run_gate, socket_path):
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(socket_path))
        failure = failure_of(*run_gate())
    assert "nobody listens" in failure["cause"]
    assert "refused" in failure["got"]


def test_a_socket_that_nobody_accepts_from_is_refused(run_gate, socket_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(socket_path))
        silent.listen(1)
        failure = failure_of(*run_gate())
    assert "GET /readyz got no whole answer in time" in failure["cause"]


def test_a_service_that_hangs_is_refused(refusal):
    failure = refusal(lambda connection: connection.recv(10_000) and time.sleep(3))
    assert "GET /readyz got no whole answer in time" in failure["cause"]


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_bytes_that_drip_for_ever_are_refused(refusal, start):
    def drip(connection):
        connection.sendall(start)
        while True:
            connection.sendall(b"H")
            time.sleep(0.02)

    assert "GET /readyz got no whole answer in time" in refusal(drip)["cause"]


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"], ids=repr
)
def test_a_service_that_never_ends_an_answer_is_refused(refusal, answer):
    failure = refusal(lambda connection: connection.sendall(answer))
    assert "GET /readyz ended without an answer" in failure["cause"]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\xff" * 500,
        b"x" * 100_000,
        b"HTTP/1.1 999999 ?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=lambda answer: ascii(answer[:20]),
)
def test_an_answer_that_is_not_http_is_refused_at_once(refusal, answer):
    def reply(connection):
        connection.recv(10_000)
        connection.sendall(answer)

    begun = time.monotonic()
    failure = refusal(reply, timeout=10)
    assert time.monotonic() - begun < 5
    assert "GET /readyz was answered with something that is not HTTP" in failure["cause"]


@pytest.mark.parametrize("content", [b"<html>", b"", b"\xff", b"[" * 20_000, b"x" * 3_000_000])
def test_an_answer_that_is_not_json_is_refused_at_once(refusal, content):
    def reply(connection):
        connection.recv(10_000)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)

    failure = refusal(reply, timeout=10)
    assert "GET /readyz answered 200 without JSON" in failure["cause"]


@pytest.mark.parametrize("content", ["[]", "null", "{}", '{"model_id": 7}'])
def test_json_of_another_shape_is_refused(refusal, content):
    def reply(connection):
        connection.recv(10_000)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall((head + content).encode())

    failure = refusal(reply)
    assert "GET /readyz has no model_id in its answer" in failure["cause"]
    assert failure["got"] == content


@pytest.mark.parametrize("key", ["model_id", "release_id"])
def test_another_release_or_model_is_refused_at_once(refusal, fake, key):
    expected = fake.identity[key]
    fake.identity = {**fake.identity, key: "another"}
    failure = refusal(fake.serve, timeout=10)
    assert key in failure["cause"]
    assert (failure["expected"], failure["got"]) == (expected, "another")


@pytest.mark.parametrize("workers", [0, -1, 65, 10**9, "2", None, True])
def test_a_strange_number_of_workers_is_refused(refusal, fake, workers):
    fake.workers = workers
    assert "workers" in refusal(fake.serve)["cause"]


def test_a_service_that_never_gets_ready_is_refused(refusal, fake):
    fake.statuses["/readyz"] = 503
    fake.readiness = {"error": "no prediction was made yet"}
    failure = refusal(fake.serve)
    assert failure["cause"].startswith("not ready in time")
    assert "no prediction was made yet" in failure["got"]


@pytest.mark.parametrize("path", ["/readyz", "/v1/classify"])
def test_an_error_status_is_refused(refusal, fake, path):
    fake.statuses[path] = 500
    failure = refusal(fake.serve, timeout=10)
    assert path in failure["cause"]
    assert failure["expected"] == 200
    assert failure["got"].startswith("500: ")


def test_a_wrong_label_is_refused(refusal, fake):
    fake.answers["text 3"] = {"label": "billing", "probability": 0.63}
    failure = refusal(fake.serve)
    assert "golden text 3 ('text 3') on worker" in failure["cause"]
    assert (failure["expected"], failure["got"]) == ("bug", "billing")


@pytest.mark.parametrize("probability", [0.628, 0.632, math.nan, math.inf])
def test_a_drifted_probability_is_refused(refusal, fake, probability):
    fake.answers["text 3"] = {"label": "bug", "probability": probability}
    failure = refusal(fake.serve)
    assert "probability more than 0.001 off" in failure["cause"]
    assert failure["expected"] == pytest.approx(0.63)
    assert failure["got"] == str(probability)


def test_the_tolerance_can_be_widened(run_gate, fake, socket_path):
    fake.answers["text 3"] = {"label": "bug", "probability": 0.635}
    with listening(socket_path, fake.serve):
        report, _ = run_gate("--tolerance=0.01", timeout=5)
    assert report["passed"] is True


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"label": "bug"},
        {"probability": 0.63},
        None,
        "bug",
        [],
        {"label": "bug", "probability": "high"},
    ],
)
def test_an_answer_without_a_label_is_refused(refusal, fake, result):
    fake.answers["text 3"] = result
    failure = refusal(fake.serve)
    assert "golden text 3 ('text 3')" in failure["cause"]
    assert "no label" in failure["cause"]
    assert "results" in failure["got"]


def test_one_bad_worker_of_two_is_refused(refusal, fake):
    sound = fake.answer

    def answer(worker, path, body):
        status, found = sound(worker, path, body)
        broken = worker == "102" and path == "/v1/classify"
        return (
            (status, {**found, "results": [{"label": "bug", "probability": 0.0}]})
            if broken
            else (status, found)
        )

    fake.answer = answer
    assert "on worker 102" in refusal(fake.serve)["cause"]


def test_fewer_workers_than_claimed_are_refused(refusal, fake):
    fake.workers = 3
    failure = refusal(fake.serve)
    assert failure["cause"] == "only 2 of 3 workers answered GET /readyz"
    assert (failure["expected"], failure["got"]) == (3, 2)


def test_workers_without_a_name_are_refused(refusal, fake):
    fake.worker_names = [""]
    assert "which worker" in refusal(fake.serve)["cause"]


def test_a_slow_service_is_refused(refusal, fake):
    fake.delay_seconds = 0.03
    failure = refusal(fake.serve, "--latency-budget-ms=20", timeout=5)
    assert failure["expected"] == "at most 20 ms"
    assert 30 <= float(failure["got"].removesuffix(" ms")) < 1000


def test_a_slow_service_is_refused_when_no_quick_answers_can_save_its_median(refusal, fake):
    fake.delay_seconds = 0.03
    refusal(fake.serve, "--latency-budget-ms=20", timeout=5)
    assert len(fake.asked) == 9  # of 16


def test_a_service_too_slow_for_the_time_allowed_is_refused_as_slow(refusal, fake):
    fake.delay_seconds = 0.4
    assert "golden texts took" in refusal(fake.serve)["cause"]


def test_a_service_that_never_answers_is_refused(refusal, fake):
    fake.delay_seconds = 60
    assert "POST /v1/classify got no whole answer in time" in refusal(fake.serve)["cause"]


def test_a_broken_bundle_is_refused(socket_path, tmp_path, capsys):
    code = gate.main(
        [f"--socket={socket_path}", f"--bundle={tmp_path / 'none'}", f"--release-id={RELEASE_ID}"]
    )
    failure = failure_of(json.loads(capsys.readouterr().out), code)
    assert str(tmp_path / "none") in failure["cause"]


@pytest.mark.parametrize(
    "option",
    ["--timeout=0", "--timeout=nan", "--tolerance=-1", "--requests-per-worker=0", "--latency=x"],
)
def test_a_bad_option_is_refused(option, capsys):
    with pytest.raises(SystemExit) as caught:
        gate.main(["--socket=a", "--bundle=b", "--release-id=c", option])
    assert caught.value.code == 2
    assert option.split("=")[0] in capsys.readouterr().err
