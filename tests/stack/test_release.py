"""What an operator sees of releases on a real host."""

import pytest

pytestmark = pytest.mark.timeout(900)


def test_with_nothing_older_that_is_good_rollback_fails_with_one_line(host):
    live = host.status()["live"]["id"]
    host.shell(f"""cd /opt/frontdesk/releases
        for each in *; do [ "$each" = {live} ] || echo bad > "$each/mark"; done""")
    done = host.play("rollback.yml", check=False)
    assert done.returncode != 0
    assert "There is no good release older than" in done.stdout + done.stderr
    assert host.status()["live"]["id"] == live


def test_status_tells_what_is_live(host):
    said = host.play("status.yml").stdout
    assert host.status()["live"]["id"] in said
    assert "accuracy" in said
