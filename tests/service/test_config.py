from pathlib import Path

import pytest
from classifier.config import ConfigError, Settings


def test_defaults_need_only_a_bundle():
    settings = Settings.from_environment({"APP_BUNDLE_DIR": "/srv/bundle"})
    assert settings == Settings(bundle_dir=Path("/srv/bundle"))


def test_every_setting_is_read():
    environment = {
        "APP_BUNDLE_DIR": "/srv/bundle",
        "APP_RELEASE_ID": "20260102T030405-abc1234",
        "APP_BODY_LIMIT_BYTES": "2048",
        "APP_WORKERS": "3",
        "APP_THREADS": "5",
        "APP_TIMEOUT_SECONDS": "7",
        "APP_THRESHOLD": "0.25",
        "APP_REQUEST_LOG_PATH": "/var/log/frontdesk/requests.log",
        "APP_REQUEST_LOG_LIMIT_MB": "9",
        "APP_LOG_TEXTS": "1",
        "APP_STREAM_LIMIT_MB": "10",
        "APP_FEEDBACK_PATH": "/var/lib/frontdesk/feedback.jsonl",
        "APP_FEEDBACK_LIMIT_MB": "11",
        "APP_API_KEYS_PATH": "/etc/frontdesk/api_keys",
        "APP_METRICS_DIR": "/run/frontdesk-metrics/blue",
        "APP_CERTIFICATE_PATH": "/var/lib/frontdesk-tls/live/about.json",
        "PATH": "/usr/bin",
    }
    assert Settings.from_environment(environment) == Settings(
        bundle_dir=Path("/srv/bundle"),
        release_id="20260102T030405-abc1234",
        body_limit_bytes=2048,
        workers=3,
        threads=5,
        timeout_seconds=7,
        threshold=0.25,
        request_log_path=Path("/var/log/frontdesk/requests.log"),
        request_log_limit_mb=9,
        log_texts=True,
        stream_limit_mb=10,
        feedback_path=Path("/var/lib/frontdesk/feedback.jsonl"),
        feedback_limit_mb=11,
        api_keys_path=Path("/etc/frontdesk/api_keys"),
        metrics_dir=Path("/run/frontdesk-metrics/blue"),
        certificate_path=Path("/var/lib/frontdesk-tls/live/about.json"),
    )


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("APP_WORKER", "2", "APP_WORKERS"),
        ("APP_BUNDLE_DIR", "", "folder of a bundle"),
        ("APP_RELEASE_ID", "", "1 to 64"),
        ("APP_RELEASE_ID", "a b", "1 to 64"),
        ("APP_RELEASE_ID", "a\nb", "1 to 64"),
        ("APP_RELEASE_ID", "a" * 65, "1 to 64"),
        ("APP_WORKERS", "0", "from 1 to 64"),
        ("APP_WORKERS", "65", "from 1 to 64"),
        ("APP_THREADS", "-1", "from 1 to 64"),
        ("APP_THREADS", "four", "from 1 to 64"),
        ("APP_THREADS", "", "from 1 to 64"),
        ("APP_THREADS", "\u0664", "from 1 to 64"),
        ("APP_TIMEOUT_SECONDS", "1.5", "from 1 to 3600"),
        ("APP_TIMEOUT_SECONDS", "9" * 5000, "from 1 to 3600"),
        ("APP_THRESHOLD", "1.5", "from 0 to 1"),
        ("APP_THRESHOLD", "-0", "from 0 to 1"),
        ("APP_THRESHOLD", "nan", "from 0 to 1"),
        ("APP_THRESHOLD", "1e-3", "from 0 to 1"),
        ("APP_REQUEST_LOG_PATH", "requests.log", "path from the root"),
        ("APP_LOG_TEXTS", "yes", "1 or 0"),
        ("APP_BODY_LIMIT_BYTES", "64k", "from 1024 to 16777216"),
        ("APP_BODY_LIMIT_BYTES", "1", "from 1024 to 16777216"),
    ],
)
def test_a_bad_setting_is_refused_by_name(name, value, advice):
    with pytest.raises(ConfigError) as caught:
        Settings.from_environment({"APP_BUNDLE_DIR": "/srv/bundle", name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} is ")
    assert advice in message
    assert "\n" not in message


def test_an_empty_path_turns_off_what_it_is_for():
    environment = {"APP_BUNDLE_DIR": "/srv/bundle", "APP_REQUEST_LOG_PATH": ""}
    assert Settings.from_environment(environment).request_log_path is None


def test_a_missing_bundle_is_refused():
    with pytest.raises(ConfigError, match="APP_BUNDLE_DIR is not set"):
        Settings.from_environment({})
