import pytest


@pytest.mark.parametrize(
    "name", ["ca-certificates", "curl", "logrotate", "nginx-light", "python3-venv"]
)
def test_package_is_installed(host, name):
    assert host.package(name).is_installed


@pytest.mark.parametrize("name", ["gcc", "python3-pip", "apache2"])
def test_package_is_not_on_the_host(host, name):
    assert not host.package(name).is_installed


def test_every_unit_is_well(host):
    failed = host.run("systemctl list-units --failed --plain --no-legend")
    assert failed.stdout == "", failed.stdout


def test_only_the_web_server_and_a_wanted_ssh_listen(host):
    wanted = {"80"} | ({"22"} if host.service("ssh").is_enabled else set())
    lines = host.check_output("ss --no-header --listening --tcp --udp --numeric").splitlines()
    listeners = {tuple(line.split()[4].rsplit(":", 1)) for line in lines}
    assert {port for address, port in listeners if address != "127.0.0.1"} == wanted
    assert {port for address, port in listeners if address == "127.0.0.1"} == {"9180"}  # metrics


def test_the_application_listens_on_no_port(host):
    listeners = host.check_output("ss --no-header --listening --tcp --processes").splitlines()
    assert listeners
    assert not [line for line in listeners if "gunicorn" in line or "python" in line]


def test_logs_are_rotated(host):
    assert host.service("logrotate.timer").is_enabled
    assert host.file("/etc/logrotate.d/nginx").exists
