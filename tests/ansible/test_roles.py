"""Each role says what it takes, and takes nothing else."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"
ROLES = sorted(path.name for path in (ANSIBLE / "roles").iterdir())


def load(path):
    return yaml.safe_load(path.read_text()) or {} if path.exists() else {}


def options(role):
    spec = load(ANSIBLE / "roles" / role / "meta/argument_specs.yml")
    return spec["argument_specs"]["main"]["options"] or {}


def wiring():
    return load(ANSIBLE / "group_vars/all.yml")


@pytest.mark.parametrize("role", ROLES)
def test_spec_and_defaults_declare_the_same_names(role):
    defaults = load(ANSIBLE / "roles" / role / "defaults/main.yml")
    required = {name for name, option in options(role).items() if option.get("required")}
    assert set(options(role)) == set(defaults) | required
    assert not set(defaults) & required


@pytest.mark.parametrize("role", ROLES)
def test_specs_carry_no_default_of_their_own(role):
    assert [name for name, option in options(role).items() if "default" in option] == []


@pytest.mark.parametrize("role", ROLES)
def test_public_names_carry_their_role(role):
    assert [name for name in options(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_requires_is_wired(role):
    required = {name for name, option in options(role).items() if option.get("required")}
    assert required <= set(wiring())


def test_the_wiring_gives_roles_only_what_they_take():
    known = {name for role in ROLES for name in options(role)}
    assert {name for name in wiring() if not name.startswith("app_")} <= known


def test_roles_do_not_know_each_other():
    for role in ROLES:
        files = (ANSIBLE / "roles" / role).rglob("*.yml")
        text = "\n".join(
            path.read_text() for path in files if path.parent.name in ("tasks", "handlers")
        )
        others = [each for each in ROLES if each != role and f"{{{{ {each}_" in text]
        assert others == [], role


def test_preflight_looks_at_every_role_that_takes_something():
    looked_at = load(ANSIBLE / "roles/preflight/vars/main.yml")["__preflight_roles"]
    assert looked_at == [role for role in ROLES if options(role)]


def test_the_label_and_the_host_have_one_name():
    import machine

    defaults = load(ANSIBLE / "roles/docker_host/defaults/main.yml")
    assert defaults["docker_host_label"] == machine.LABEL
    inventory = load(ANSIBLE / "inventory/local.yml")
    assert list(inventory["all"]["children"]["app"]["children"]["docker_hosts"]["hosts"]) == [
        machine.HOST
    ]


def test_the_unit_sets_only_what_the_service_knows():
    from classifier.config import Settings

    given = load(ANSIBLE / "roles/classifier/vars/main.yml")["__classifier_environment"]
    known = {f"APP_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(given) <= known


def test_what_shows_that_a_host_is_used_is_what_it_writes():
    import lease
    from layout import Layout

    classifier = load(ANSIBLE / "roles/classifier/vars/main.yml")
    log = classifier["__classifier_environment"]["APP_REQUEST_LOG_PATH"]
    written = {
        log.replace("{{ __classifier_directory }}", classifier["__classifier_directory"]),
        str(Layout.history.fget(SimpleNamespace(root=Path("{{ app_root_dir }}")))),
        str(lease.PATH),
    }
    assert set(wiring()["idle_stop_used_paths"]) == written
