"""The service as it runs on a host: under Gunicorn, on a Unix socket that systemd hands over."""

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from classifier import bundle as bundles
from classifier.serving import gate
from classifier.serving.predict import Predictor

SERVICE_DIR = Path(__file__).parents[2] / "service"
PATIENCE_SECONDS = 15
HANDED_OVER = {"X-Request-Start": "900000000000.000"}  # as Nginx does, in a far future

# What systemd does: the socket is file descriptor 3, and LISTEN_PID is who may take it.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"])
"""


class Service:
    """A running Gunicorn with its listener, as a systemd socket unit would hold it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.socket_path = folder / "http.sock"
        self.log_path = folder / "log"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket_path))
        self.listener.listen(64)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, str(self.listener.fileno())],
                cwd=SERVICE_DIR,
                env={**inherited, "PYTHONDONTWRITEBYTECODE": "1", **environment},
                pass_fds=[self.listener.fileno()],
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def workers(self) -> set[int]:
        pid = self.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE_SECONDS)
        connection.sock.connect(str(self.socket_path))
        return connection

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        with closing(self.connect()) as connection:
            data = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json", **headers}
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return response.status, json.load(response)

    def send(self, data: bytes) -> bytes:
        """Send raw bytes, end the sending side, and return all that comes back."""
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(PATIENCE_SECONDS)
            raw.connect(str(self.socket_path))
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: raw.recv(65_536), b""))

    def kill(self) -> None:
        for pid in [*self.workers(), self.process.pid] if self.process.poll() is None else []:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)
        self.listener.close()


@pytest.fixture
def start(tmp_path, bundle_dir) -> Iterator:
    """Return a function that starts the service with settings of its own."""
    started = []

    def start_service(**environment: str) -> Service:
        environment = {"APP_BUNDLE_DIR": str(bundle_dir), **environment}
        started.append(Service(tmp_path, environment))
        return started[-1]

    yield start_service
    for service in started:
        service.kill()


@pytest.fixture(scope="module")
def service(tmp_path_factory, bundle_dir) -> Iterator[Service]:
    """One service for all tests that leave it as it was."""
    environment = {"APP_BUNDLE_DIR": str(bundle_dir), "APP_RELEASE_ID": "r1"}
    service = Service(tmp_path_factory.mktemp("service"), environment)
    wait_until(service, lambda: len(service.workers()) == 2)
    yield service
    service.kill()


def wait_until(service: Service, condition) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert service.process.poll() is None, service.log
        assert time.monotonic() < deadline, service.log
        time.sleep(0.02)


def pss_kib(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def run_gate(service: Service, bundle_dir: Path, release_id: str) -> int:
    options = {"socket": service.socket_path, "bundle": bundle_dir, "release-id": release_id}
    return gate.main([f"--{name}={value}" for name, value in options.items()])


def test_the_gate_passes_a_sound_service(service, bundle_dir, capsys):
    assert run_gate(service, bundle_dir, "r1") == 0, capsys.readouterr().out


def test_the_gate_refuses_another_release(service, bundle_dir, capsys):
    assert run_gate(service, bundle_dir, "r2") == 1
    failure = json.loads(capsys.readouterr().out)["failure"]
    assert (failure["expected"], failure["got"]) == ("r2", "r1")


def test_the_gate_passes_a_sound_service_that_abstains_from_everything(start, bundle_dir, capsys):
    service = start(APP_THRESHOLD="1", APP_RELEASE_ID="r1")
    assert run_gate(service, bundle_dir, "r1") == 0, capsys.readouterr().out


def test_parallel_answers_do_not_cross(service, bundle_dir):
    bundle = bundles.load(bundle_dir)
    dice = random.Random(11)  # noqa: S311 - a repeatable mix, not a secret
    texts = [" ".join(dice.choices(bundle.vocabulary, k=1 + n % 20)) for n in range(500)]
    expected = Predictor(bundle).predict(texts)
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda text: service.ask("POST", "/v1/classify", {"text": text}), texts)
        )
    results = [answer["results"][0] for _, answer in answers]
    assert [result["label"] for result in results] == [item.label for item in expected]
    found = [result["probability"] for result in results]
    assert found == pytest.approx([item.probability for item in expected], abs=1e-6)


def test_memory_stays_below_110_mb(service):
    service.ask("POST", "/v1/classify", {"texts": ["hello"] * 64})
    pids = [service.process.pid, *service.workers()]
    assert len(pids) == 3
    assert sum(map(pss_kib, pids)) < 110 * 1024


def chunked(body: str) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body.encode())


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        # chunked: at the limit, over it, cut short, and no chunks at all
        (
            "Transfer-Encoding: chunked",
            b"10000\r\n%b\r\n" % (b" " * 65_536) * 2 + b"0\r\n\r\n",
            413,
        ),
        ("Transfer-Encoding: chunked", b'd\r\n{"text"', 400),
        ("Transfer-Encoding: chunked", b"zz\r\n", 400),
        # a length that is right, too large to read, longer than the body, shorter, not a number
        ("Content-Length: 13", b'{"text": "a"}', 200),
        ("Content-Length: 65537", b"", 413),
        ("Content-Length: 99999999999999", b"", 413),
        ("Content-Length: 20", b'{"text": "a"}', 400),
        ("Content-Length: 12", b'{"text": "a"}', 400),
        ("Content-Length: -1", b"", 400),
        ("X: y", b"", 400),
        ("Host: [", b"", 400),
        ("X-Request-ID: \xff", b"", 400),
    ],
)
def test_a_raw_request_gets_its_status(service, head, body, status):
    request = (
        "POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\n{head}\r\n\r\n"
    )
    answer = service.send(request.encode("latin-1") + body)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert "Traceback" not in service.log


def test_a_client_that_leaves_midway_harms_nothing(service):
    head = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"
    for _ in range(50):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(service.socket_path))
            raw.sendall(head)
    status, _ = service.ask("POST", "/v1/classify", {"text": "hello"})
    assert status == 200
    assert "Traceback" not in service.log


def test_it_is_ready_within_seconds(start):
    begun = time.monotonic()
    service = start()
    status, answer = service.ask("GET", "/readyz")  # waits in the socket until a worker is there
    assert (status, answer["status"]) == (200, "ready")
    assert time.monotonic() - begun < 5


def test_a_killed_worker_is_replaced(start):
    service = start()
    wait_until(service, lambda: len(service.workers()) == 2)
    before = service.workers()
    os.kill(min(before), signal.SIGKILL)
    wait_until(service, lambda: len(service.workers() - before) == 1)
    for _ in range(20):
        assert service.ask("POST", "/v1/classify", {"text": "hello"})[0] == 200
    assert max(before) in service.workers()


def test_a_request_in_flight_is_answered_before_the_service_stops(start):
    service = start()
    service.ask("GET", "/readyz")
    with closing(service.connect()) as connection:
        body = b'{"text": "hello"}'
        connection.putrequest("POST", "/v1/classify")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:5])
        time.sleep(0.2)
        service.process.terminate()
        time.sleep(0.5)
        connection.send(body[5:])
        assert connection.getresponse().status == 200
    assert service.process.wait(PATIENCE_SECONDS) == 0
    assert service.socket_path.exists()  # it is systemd's, and the next master's


def counted(service: Service) -> dict[str, float]:
    with closing(service.connect()) as connection:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def texts_of(numbers: dict[str, float]) -> float:
    return sum(value for name, value in numbers.items() if name.startswith("frontdesk_texts_"))


def test_metrics_are_those_of_all_workers_and_outlive_one_but_not_the_master(start, tmp_path):
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    (metrics / "counter_1.db").write_bytes(b"what another master left")
    service = start(APP_METRICS_DIR=str(metrics))
    wait_until(service, lambda: len(service.workers()) == 2)
    for _ in range(60):
        asked = {"texts": ["the dog", "zz yy"], "threshold": 1}
        service.ask("POST", "/v1/classify", asked, **HANDED_OVER)
    numbers = counted(service)
    assert texts_of(numbers) == numbers["frontdesk_abstentions_total"] == 120
    name = 'frontdesk_request_seconds_count{route="/v1/classify",status="200"}'
    assert numbers[name] == 60
    assert numbers["frontdesk_confidence_count"] == 120
    before = service.workers()
    os.kill(min(before), signal.SIGKILL)
    wait_until(service, lambda: len(service.workers() - before) == 1)
    assert texts_of(counted(service)) == 120
    service.ask("POST", "/v1/classify", {"text": "the dog"}, **HANDED_OVER)
    assert texts_of(counted(service)) == 121


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"APP_BUNDLE_DIR": "/nowhere"}, "/nowhere: no such folder"),
        ({"APP_BUNDLE_DIR": ""}, "APP_BUNDLE_DIR is empty"),
        ({"APP_WORKERS": "many"}, "APP_WORKERS is 'many'"),
        ({"APP_WORKER": "2"}, "APP_WORKER is not a setting"),
    ],
)
def test_what_prevents_a_start_is_said_in_one_line(start, environment, reason):
    service = start(**environment)
    assert service.process.wait(PATIENCE_SECONDS) == 1
    (line,) = service.log.splitlines()
    assert line.startswith(f"frontdesk cannot start: {reason}")


def test_a_model_that_cannot_predict_stops_the_service(start, bundle_dir, tmp_path):
    sound = bundles.load(bundle_dir)
    broken = bundles.write(
        tmp_path / "bundle",
        model=b"\x1c\0\0\0TFL3" + bytes(100),
        training=sound.card["training"],
        **{
            name: getattr(sound, name)
            for name in (
                *("vocabulary", "labels", "tokenizer", "limits", "metrics", "golden"),
                *("calibration", "statistics", "embedding", "terms"),
            )
        },
    )
    service = start(APP_BUNDLE_DIR=str(broken.path))
    assert service.process.wait(PATIENCE_SECONDS) == 1
    reason = f"frontdesk cannot start: {broken.model_path}: LiteRT cannot open it"
    assert len([line for line in service.log.splitlines() if line.startswith(reason)]) == 1
    assert "Traceback" not in service.log
    assert "Booting worker" not in service.log


@pytest.mark.parametrize(
    ("trial", "status", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", 1, "the first prediction was ended by SIGSEGV"),
        ("raise RuntimeError('surprise')", 1, "RuntimeError: surprise"),
        ("pass", 0, ""),
    ],
)
def test_a_first_prediction_that_dies_stops_the_start(bundle_dir, trial, status, reason):
    program = f"""
import os, runpy, signal
from types import SimpleNamespace
def warm_up():
    {trial}
serving = SimpleNamespace(predictor=SimpleNamespace(warm_up=warm_up))
application = SimpleNamespace(extensions=dict(serving=serving))
server = SimpleNamespace(app=SimpleNamespace(wsgi=lambda: application))
runpy.run_path("gunicorn.conf.py")["on_starting"](server)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=SERVICE_DIR,
        env={"APP_BUNDLE_DIR": str(bundle_dir), "PYTHONPATH": str(SERVICE_DIR)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status
    assert reason in ended.stderr


QUESTION = b'{"text": "a"}'
IN_CHUNKS = b"d\r\n" + QUESTION + b"\r\n0\r\n\r\n"
LENGTH, CHUNKED = b"Content-Length: 13", b"Transfer-Encoding: chunked"


def raw_request(
    *lines: bytes, body: bytes = QUESTION, start: bytes = b"POST /v1/classify HTTP/1.1"
) -> bytes:
    fields = (b"Host: x", b"Content-Type: application/json")
    return b"\r\n".join([start, *fields, *lines, b"", b""]) + body


@pytest.mark.parametrize(
    ("request_bytes", "statuses"),
    [
        # where one request ends and the next begins, said in two ways or in a wrong one
        (raw_request(LENGTH, LENGTH), [400]),
        (raw_request(LENGTH, b"Content-Length: 5"), [400]),
        (raw_request(b"Content-Length: 13, 13"), [400]),
        (raw_request(b"Content-Length: +13"), [400]),
        (raw_request(b"Content-Length: 0xd"), [400]),
        (raw_request(b"Content-Length : 13"), [400]),
        (raw_request(LENGTH, CHUNKED, body=IN_CHUNKS), [400]),
        (raw_request(CHUNKED, CHUNKED, body=IN_CHUNKS), [400]),
        (raw_request(b"Transfer-Encoding: identity", LENGTH), [400]),
        (raw_request(b"Transfer-Encoding: xchunked", body=IN_CHUNKS), [501]),
        (raw_request(b"Transfer-Encoding: \x0bchunked", body=IN_CHUNKS), [400]),
        (raw_request(CHUNKED, body=IN_CHUNKS, start=b"POST /v1/classify HTTP/1.0"), [400]),
        (raw_request(CHUNKED, body=b"-1\r\n"), [400]),
        (raw_request(CHUNKED, body=IN_CHUNKS.replace(b"\r\n0", b"0")), [400]),
        (raw_request(CHUNKED, body=IN_CHUNKS.replace(b"\r\n", b"\n")), [400]),
        (raw_request(CHUNKED, body=IN_CHUNKS[:-2] + b"Content-Length: 5\r\n\r\n"), [400]),
        (raw_request(b"Content-Length: 20"), [400]),
        # lines that another reader could see otherwise
        (raw_request(LENGTH, b" folded"), [400]),
        (raw_request(LENGTH).replace(b"\r\n", b"\n"), [400]),
        (raw_request(b"X: a\rb", LENGTH), [400]),
        (raw_request(b"X: a\0b", LENGTH), [400]),
        (raw_request(b"Host: y", LENGTH), [400]),
        (raw_request(b"no colon", LENGTH), [400]),
        (raw_request(LENGTH, start=b"POST /v1/classify HTTP/2.0"), [400]),
        (b"\r\n\r\n", [400]),
        # too large, and none at all
        (raw_request(LENGTH, b"X: " + b"a" * 9_000), [431]),
        (raw_request(LENGTH, *[b"X: a"] * 1_001), [431]),
        (raw_request(LENGTH, start=b"POST /" + b"a" * 9_000 + b" HTTP/1.1"), [414]),
        (b"\x16\x03\x01\x02\0\x01", []),
        # several that are sound
        (raw_request(LENGTH) * 3, [200] * 3),
        (raw_request(CHUNKED, body=IN_CHUNKS) + raw_request(LENGTH), [200] * 2),
        (raw_request(LENGTH) + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", [200] * 2),
        (raw_request(LENGTH) + raw_request(LENGTH, LENGTH) + raw_request(LENGTH), [200, 400]),
        (raw_request(LENGTH, b"Connection: close") * 2, [200]),
    ],
    ids=lambda value: "" if isinstance(value, list) else ascii(value[-80:]),
)
def test_requests_end_where_they_say_and_nowhere_else(service, request_bytes, statuses):
    answers = service.send(request_bytes)
    assert [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)] == statuses, answers
    assert "Traceback" not in service.log


def test_a_kept_connection_answers_request_after_request(service):
    with closing(service.connect()) as connection:
        for path in ("/v1/classify", "/v1/explain", "/v1/classify", "/v1/nothing", "/v1/classify"):
            connection.request("POST", path, QUESTION, {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert response.status == (404 if path == "/v1/nothing" else 200), path
            response.read()


@pytest.mark.parametrize("pieces", [2, 7, len(raw_request(LENGTH))])
def test_a_request_that_comes_in_pieces_is_answered(service, pieces):
    request = raw_request(LENGTH, b"Connection: close")
    size = -(-len(request) // pieces)
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(PATIENCE_SECONDS)
        raw.connect(str(service.socket_path))
        for start in range(0, len(request), size):
            time.sleep(0.002)
            raw.sendall(request[start : start + size])
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_connections_that_say_nothing_keep_nobody_waiting(service):
    with ExitStack() as stack:
        for _ in range(40):  # more than all threads
            silent = stack.enter_context(socket.socket(socket.AF_UNIX))
            silent.connect(str(service.socket_path))
        assert service.ask("POST", "/v1/classify", {"text": "hello"})[0] == 200
        assert service.ask("POST", "/v1/explain", {"text": "hello"})[0] == 200


def test_a_client_that_does_not_read_its_answers_keeps_nobody_waiting(service):
    request = raw_request(LENGTH)
    with socket.socket(socket.AF_UNIX) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.settimeout(PATIENCE_SECONDS)
        raw.connect(str(service.socket_path))
        sent = 0
        raw.setblocking(False)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and sent < 2_000:
            try:
                raw.sendall(request)
                sent += 1
            except BlockingIOError:
                break
            time.sleep(0.0005)
        assert service.ask("POST", "/v1/classify", {"text": "hello"})[0] == 200
        raw.setblocking(True)
        raw.settimeout(PATIENCE_SECONDS)
        raw.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == sent


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/model"])
def test_clients_that_do_not_close_after_their_last_answer_hold_up_nobody(start, path):
    service = start(APP_WORKERS="1")
    service.ask("GET", "/readyz")
    method = "POST" if path == "/v1/classify" else "GET"
    body = json.dumps({"text": "hello"}) if method == "POST" else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
    head += f"application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    begun = time.monotonic()
    with ExitStack() as stack:
        for _ in range(5):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX))
            silent.connect(str(service.socket_path))
            silent.sendall((head + body).encode())
            assert service.ask("POST", "/v1/classify", {"text": "hello"})[0] == 200
    assert time.monotonic() - begun < 5  # seconds: two for each, were they waited for


def test_idle_kept_connections_do_not_hold_up_a_stop(start):
    service = start()
    with ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(closing(service.connect()))
            connection.request(
                "POST", "/v1/classify", QUESTION, {"Content-Type": "application/json"}
            )
            connection.getresponse().read()
        begun = time.monotonic()
        service.process.terminate()
        assert service.process.wait(PATIENCE_SECONDS) == 0
        assert time.monotonic() - begun < 8
