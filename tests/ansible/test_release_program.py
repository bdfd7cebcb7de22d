"""The host's release program on a real folder tree; only systemd and the gate are stood in for."""

import io
import json
import shutil
import tarfile
import time
from dataclasses import replace

import activate
import audit
import deploy
import hold
import layout as layouts
import lease
import overview
import pytest
import releases
import rollback
import slots
import store
import trial
import watch
from layout import Layout, ReleaseError
from release_host import OTHER, OWNER, upload


def test_the_first_deploy_serves_from_the_first_slot(host, layout):
    assert host.deploy()["changed"] is True
    assert (slots.live(layout), host.live) == ("blue", "r01")
    assert (layout.live / "release" / "app" / "file").read_text() == "same"
    assert releases.mark(layout, "r01") == "good"


def test_the_next_takes_the_other_slot_and_the_last_stays_warm(host, layout):
    host.deploy()
    host.deploy(model="new")
    assert (slots.live(layout), host.live) == ("green", "r02")
    assert host.running == {"blue", "green"}
    assert host.warm["blue"] == 300


def test_the_same_parts_again_change_nothing(host):
    host.deploy()
    assert host.deploy() == {"changed": False, "release": "r01"}
    assert host.live == "r01"


def test_changed_unit_files_bring_the_same_parts_up_in_the_other_slot(host, layout):
    host.deploy()
    host.units = "2"
    assert host.deploy()["changed"] is True
    assert slots.live(layout) == "green"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda file: file.write_text("hacked"), "app/file"),
        (lambda file: file.unlink(), "app/file"),
        (lambda file: file.chmod(0o666), "app/file"),
        (lambda file: file.parent.chmod(0o777), "app/."),
        (lambda file: file.with_name("more").write_text("x"), "app/more"),
    ],
)
def test_a_part_that_was_changed_by_hand_is_named_and_replaced(host, layout, damage, named):
    host.deploy()
    damage(layout.live / "release" / "app" / "file")
    assert f"changed by hand ({named})" in overview.as_text(overview.overview(layout))
    store.changed_files.cache_clear()
    assert host.deploy()["changed"] is True
    assert (layout.live / "release" / "app" / "file").read_text() == "same"
    store.changed_files.cache_clear()
    assert store.damaged(layout, activate.live_release(layout).parts) == []


def spoil(release):
    (release / "release.env").write_text("APP_RELEASE_ID=another\n")


def lead_away(release):
    (release / "model").unlink()
    (release / "model").symlink_to("/tmp")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (spoil, "release.env"),
        (lambda release: (release / "release.env").unlink(), "release.env"),
        (lead_away, "model"),
    ],
)
def test_how_a_release_is_run_may_not_be_changed_by_hand_either(host, layout, damage, named):
    host.deploy()
    damage(layout.live / "release")
    assert overview.inspect(layout)["changed_files"] == [named]
    assert overview.inspect(layout)["live_is_current"] is False
    assert host.deploy()["changed"] is True
    assert overview.inspect(layout)["changed_files"] == []


@pytest.fixture(
    params=[None, "", "7", "r01", {"created": "yesterday"}, {"model": None}, {"parts": {"env": 1}}]
)
def unrecorded(request, host, layout):
    """Two releases, and of the live one, r02, what it is made of can't be read."""
    host.deploy(model="1")
    host.deploy(model="2")
    path = layout.releases / "r02" / "release.json"
    if request.param is None:
        path.unlink()
    elif isinstance(request.param, dict):
        path.write_text(json.dumps(json.loads(path.read_text()) | request.param))
    elif request.param == "r01":  # another's
        path.write_text((layout.releases / "r01" / "release.json").read_text())
    else:
        path.write_text(request.param)


@pytest.mark.usefixtures("unrecorded")
def test_a_live_release_without_its_record_is_named_and_replaced(host, layout):
    told = overview.inspect(layout)
    assert (told["live"], told["live_id"], told["changed_files"]) == (None, "r02", ["release.json"])
    text = overview.as_text(overview.overview(layout))
    assert "live       r02 in slot green" in text
    assert "changed by hand (release.json): deploy." in text
    assert host.deploy(model="2")["changed"] is True
    assert overview.inspect(layout)["changed_files"] == []
    assert overview.overview(layout)["warnings"] == []


@pytest.mark.usefixtures("unrecorded")
def test_it_serves_on_with_its_parts_where_the_next_is_refused(host, layout):
    host.bad.add("r03")
    with pytest.raises(ReleaseError):
        host.deploy(model="3")
    assert slots.live(layout) == "green"
    assert (layout.live / "release" / "model" / "file").read_text() == "2"


@pytest.mark.usefixtures("unrecorded")
def test_it_stays_warm_with_its_parts_where_the_next_serves(host, layout):
    host.deploy(model="3")
    assert "green" in host.running
    assert (layout.slot("green") / "release" / "model" / "file").read_text() == "2"


@pytest.mark.usefixtures("unrecorded")
def test_it_can_be_left_for_the_release_before(layout):
    assert rollback.rollback(layout, None, OWNER)["release"] == "r01"


@pytest.mark.usefixtures("unrecorded")
def test_it_is_left_by_its_watch(layout):
    assert watch.give_up(layout, "r02", "Too slow.")["release"] == "r01"


@pytest.mark.usefixtures("unrecorded")
def test_it_is_mended_where_other_hosts_serve_it_under_its_id(host, layout):
    release = replace(host.release(model="2"), id="r02")
    deploy.deploy(layout, release, OWNER, exact_id=True)
    assert overview.inspect(layout)["changed_files"] == []
    assert overview.inspect(layout)["live_id"] == "r02"


@pytest.mark.parametrize("damage", [spoil, lead_away])
def test_what_was_changed_in_it_by_hand_is_mended_under_its_id_too(host, layout, damage):
    host.deploy()
    damage(layout.live / "release")
    deploy.deploy(layout, replace(host.release(), id="r01"), OWNER, exact_id=True)
    assert overview.inspect(layout)["changed_files"] == []


def test_a_release_that_does_not_serve_goes_with_its_record(host, layout):
    for number in "123":
        host.deploy(model=number)
    (layout.releases / "r01" / "release.json").write_text("spoiled")
    with pytest.raises(ReleaseError, match="no release r01 on this host .*is damaged or missing"):
        rollback.rollback(layout, "r01", OWNER)
    host.deploy(model="4")
    assert not (layout.releases / "r01").exists()


@pytest.mark.parametrize("note", ["", "7", "no JSON"])
def test_a_part_whose_note_was_spoiled_counts_as_changed(host, layout, note):
    host.deploy()
    parts = activate.live_release(layout).parts
    layout.installed_sum("app", parts["app"]).write_text(note)
    store.changed_files.cache_clear()
    assert store.damaged(layout, parts) == ["app"]


def test_a_live_part_that_is_gone_is_brought_back_by_a_deploy(host, layout):
    host.deploy()
    shutil.rmtree(layout.store("model", releases.read(layout, "r01").parts["model"]))
    store.changed_files.cache_clear()
    assert host.deploy()["changed"] is True
    assert (layout.live / "release" / "model" / "file").read_text() == "same"


def test_releases_that_were_left_do_not_crowd_out_good_ones(host, layout):
    host.deploy(model="1")
    host.deploy(model="2")
    for model in ("3", "4", "5"):
        host.deploy(model=model)
        rollback.rollback(layout, None, OWNER)
    host.deploy(model="6")
    assert rollback.rollback(layout, None, OWNER)["release"] == "r02"
    assert rollback.rollback(layout, None, OWNER)["release"] == "r01"


def test_a_deploy_killed_after_its_switch_is_good_after_the_next(host, layout):
    host.deploy()
    releases.mark(layout, "r01", "staged")
    assert host.deploy()["changed"] is False
    assert releases.mark(layout, "r01") == "good"


@pytest.mark.parametrize("trouble", ["bad", "unreachable"])
def test_a_refused_release_leaves_the_old_one_serving_and_no_trace(host, layout, trouble):
    host.deploy()
    getattr(host, trouble).add("r02")
    with pytest.raises(ReleaseError):
        host.deploy(model="worse")
    assert (slots.live(layout), host.live) == ("blue", "r01")
    assert host.running == {"blue"}
    assert [path.name for path in layout.releases.iterdir()] == ["r01"]
    assert len(store.held(layout)["model"]) == 1
    assert audit.history(layout)[-1]["event"] == "refused"


def test_a_first_release_that_is_refused_leaves_nothing_live(host, layout):
    host.bad.add("r01")
    with pytest.raises(ReleaseError):
        host.deploy()
    assert slots.live(layout) is None
    assert not layout.live.is_symlink()
    assert host.running == set()


def test_an_interrupt_in_the_gate_leaves_the_old_one_serving(host, layout, monkeypatch):
    host.deploy()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(slots, "gate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        host.deploy(model="new")
    assert host.live == "r01"
    assert host.running == {"blue"}


def test_a_rollback_returns_to_the_release_before(host, layout):
    host.deploy()
    host.deploy(model="new")
    told = rollback.rollback(layout, None, OWNER)
    assert (told["release"], told["left"], host.live) == ("r01", "r02", "r01")
    assert releases.mark(layout, "r02") == "rolled_back"


def test_a_second_rollback_goes_further_back_and_never_forward(host, layout):
    for model in ("a", "b", "c"):
        host.deploy(model=model)
    assert rollback.rollback(layout, None, OWNER)["release"] == "r02"
    assert rollback.rollback(layout, None, OWNER)["release"] == "r01"
    with pytest.raises(ReleaseError, match="no good release older than r01"):
        rollback.rollback(layout, None, OWNER)


def test_a_rollback_to_a_named_release(host, layout):
    for model in ("a", "b", "c"):
        host.deploy(model=model)
    assert rollback.rollback(layout, "r01", OWNER)["release"] == "r01"
    with pytest.raises(ReleaseError, match="r01 is live already"):
        rollback.rollback(layout, "r01", OWNER)
    with pytest.raises(ReleaseError, match="no release r99 .* r01, r02, r03"):
        rollback.rollback(layout, "r99", OWNER)


def test_a_rollback_that_fails_its_gate_leaves_the_live_one(host, layout):
    host.deploy()
    host.deploy(model="new")
    host.bad.add("r01")
    with pytest.raises(ReleaseError):
        rollback.rollback(layout, None, OWNER)
    assert host.live == "r02"


def test_with_nothing_live_there_is_nothing_to_go_back_from(host, layout):
    with pytest.raises(ReleaseError, match="Nothing is live"):
        rollback.rollback(layout, None, OWNER)


def test_a_release_that_lost_a_part_is_refused_by_name(host, layout):
    host.deploy()
    host.deploy(model="new")
    digest = releases.read(layout, "r01").parts["model"]
    shutil.rmtree(layout.store("model", digest))
    with pytest.raises(ReleaseError, match="model of release r01 are not as they were installed"):
        rollback.rollback(layout, "r01", OWNER)


def test_old_releases_go_and_the_parts_that_nothing_uses_with_them(host, layout):
    for number in range(6):
        host.deploy(model=str(number))
    assert [each.id for each in releases.listed(layout)] == ["r04", "r05", "r06"]
    assert len(store.held(layout)["model"]) == 3
    assert len(store.held(layout)["app"]) == 1
    assert list(layout.incoming.iterdir()) == []


def test_what_a_killed_deploy_left_is_removed_by_the_next(host, layout):
    host.deploy()
    strays = [
        layout.store("env", ".new-1"),
        layout.store("app", "unused"),
        layout.releases / ".new-x",
        layout.releases / "r00",
    ]
    for stray in strays:
        stray.mkdir(parents=True)
    (layout.incoming / "model-1.tar").write_text("half")
    host.deploy(model="new")
    assert {path.name for path in layout.releases.iterdir()} == {"r01", "r02"}
    assert not layout.store("env", ".new-1").exists()
    assert not layout.store("app", "unused").exists()
    assert list(layout.incoming.iterdir()) == []


def test_while_one_holds_the_host_another_is_told_who_and_since_when(host, layout):
    host.deploy()
    lease.take(OTHER)
    with pytest.raises(
        ReleaseError, match=r"dev@lap holds this host since 20.*Z \(0 s ago\) to try"
    ) as refusal:
        host.deploy(model="new")
    assert refusal.value.details["holder"]["token"] == OTHER["token"]
    assert host.live == "r01"
    lease.free(OTHER)
    assert host.deploy(model="new")["changed"] is True


def test_a_lease_that_ran_out_is_taken_over(host):
    lease.take({**OTHER, "lease_seconds": -1})
    assert host.deploy()["changed"] is True


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_clock_that_jumps_makes_a_lease_no_longer_and_no_shorter(host, monkeypatch, days):
    lease.take(OTHER)
    moved = time.time() + days * 86_400
    monkeypatch.setattr(time, "time", lambda: moved)
    with pytest.raises(ReleaseError, match=r"\(0 s ago\).*it ends by itself in (600|599) s"):
        host.deploy()


def test_a_lease_is_taken_over_from_an_owner_that_is_known_to_be_gone(host, layout):
    lease.take(OTHER)
    with pytest.raises(ReleaseError):
        rollback.rollback(layout, None, OWNER, over="c:3:3")
    with pytest.raises(ReleaseError, match="Nothing is live"):
        rollback.rollback(layout, None, OWNER, over=OTHER["token"])
    assert lease.holder() is None


def test_a_lease_held_since_before_is_renewed_and_kept(host):
    lease.take(OWNER)
    host.deploy()
    assert lease.holder()["who"] == "ops@desk"
    lease.free(OTHER)
    assert lease.holder() is not None


@pytest.mark.parametrize("noted", ['{"token": "b:', '{"token": "b:1:1", "until": 9e9}'])
def test_a_lease_cut_off_by_a_crash_or_of_an_older_program_holds_nothing(host, noted):
    lease.PATH.write_text(noted)
    assert host.deploy()["changed"] is True


def test_the_host_is_held_before_it_has_the_program(host, run, root):
    program = root / "ansible/roles/release/files/host/lease.py"
    code = program.read_text().replace("/run/lock/frontdesk-release.json", str(lease.PATH))
    call = ["sh", "-c", 'printf %s "$1" | python3 - take "$2"', "sh", code]
    assert json.loads(run(*call, json.dumps(OWNER)).stdout)["taken"] is True
    refused = run(*call, json.dumps(OTHER), check=False)
    assert refused.returncode == 1
    assert "ops@desk holds this host" in json.loads(refused.stdout)["error"]


def test_a_program_at_work_is_waited_for_but_not_for_ever(host, layout):
    with (
        hold.working(layout),
        pytest.raises(ReleaseError, match="Another release program"),
        hold.working(layout, patience=0),
    ):
        pass


def test_a_release_of_a_model_alone_keeps_the_commit_and_one_of_code_the_card(host, layout):
    model = replace(host.release(), commit="", model={"model_id": "n"})
    with pytest.raises(ReleaseError, match="No whole release is live"):
        deploy.complete(layout, model)
    host.deploy()
    assert deploy.complete(layout, model) == replace(model, commit="abc")
    code = replace(host.release(), commit="def", model={})
    assert deploy.complete(layout, code).model == {"model_id": "m", "accuracy": 1}


def test_a_warm_slot_is_retired_unless_it_serves_again(host, layout):
    host.deploy()
    host.deploy(model="new")
    assert rollback.retire(layout, "green") == {"changed": False}
    assert rollback.retire(layout, "blue") == {"changed": True}
    assert host.running == {"green"}


@pytest.mark.parametrize("name", ["../escape", "/absolute", "a/../../escape"])
def test_an_archive_that_reaches_out_of_its_folder_is_refused(host, layout, name, tmp_path):
    archive = layout.incoming / "app-1.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ReleaseError, match="not a plain file below it"):
        store.install(layout, "app", "1")
    assert list(layout.store("app").iterdir()) == []
    assert not list(tmp_path.rglob("escape"))


SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "zeros",
          "GNU.sparse.realsize": "1000000000"}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "content"),
    [
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, b""),
        ({"type": tarfile.LNKTYPE, "linkname": "../../../etc/passwd"}, b""),
        ({"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}, b""),
        ({"type": tarfile.FIFOTYPE}, b""),
        ({"pax_headers": SPARSE}, b"1\n0\n1\n".ljust(512, b"\0")),
    ],
    ids=["symbolic link", "hard link", "device", "pipe", "a gigabyte of holes"],
)
def test_an_archive_with_anything_but_plain_files_is_refused(host, layout, facts, content):
    member = tarfile.TarInfo("member")
    member.size = len(content)
    for name, value in facts.items():
        setattr(member, name, value)
    with tarfile.open(layout.incoming / "app-1.tar", "w") as tar:
        tar.addfile(member, io.BytesIO(content))
    with pytest.raises(ReleaseError, match="not a plain file"):
        store.install(layout, "app", "1")
    assert list(layout.store("app").iterdir()) == []


def test_an_archive_that_would_grow_is_refused(host, layout):
    with tarfile.open(layout.incoming / "model-1.tar", "w:gz") as tar:
        member = tarfile.TarInfo("zeros")
        member.size = 10_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    with pytest.raises(ReleaseError, match="damaged"):
        store.install(layout, "model", "1")
    assert list(layout.store("model").iterdir()) == []


def test_an_archive_with_the_same_file_twice_is_refused(host, layout):
    with tarfile.open(layout.incoming / "app-1.tar", "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("a"), io.BytesIO())
    with pytest.raises(ReleaseError, match="holds a twice"):
        store.install(layout, "app", "1")


def test_a_truncated_archive_is_refused(host, layout):
    digest = upload(layout, "model", {"file": b"x" * 5000})
    archive = layout.incoming / f"model-{digest}.tar"
    archive.write_bytes(archive.read_bytes()[:3000])
    with pytest.raises(ReleaseError, match="damaged"):
        store.install(layout, "model", digest)
    assert list(layout.store("model").iterdir()) == []


def test_content_that_is_not_what_was_sent_is_refused(host, layout):
    upload(layout, "model", {"file": b"other"}, digest="0" * 64)
    with pytest.raises(ReleaseError, match="not the one that was sent") as refusal:
        store.install(layout, "model", "0" * 64)
    assert refusal.value.details["expected"] == "0" * 64


def test_a_part_that_never_arrived_is_refused(host, layout):
    with pytest.raises(ReleaseError, match="was not uploaded"):
        store.install(layout, "env", "1")


def page(number):
    return {f"web/assets/app.{number}.css": str(number), "web/assets/icon.0.svg": "icon"}


def published(layout):
    return {path.name: path.read_text() for path in layout.assets.iterdir()}


def test_files_of_the_page_are_there_before_the_switch_and_as_long_as_their_release(host, layout):
    host.deploy(app=page(1))
    host.bad.add("r02")
    with pytest.raises(ReleaseError):
        host.deploy(app=page(2))
    assert published(layout) == {"app.1.css": "1", "icon.0.svg": "icon"}
    seen = []
    host.ask_edge = lambda *_: None
    slots.gate = lambda *_: seen.append(published(layout))
    for number in (3, 4, 5):
        host.deploy(app=page(number))
    assert "app.5.css" in seen[-1]
    assert published(layout) == {
        "app.3.css": "3", "app.4.css": "4", "app.5.css": "5", "icon.0.svg": "icon"
    }  # fmt: skip
    assert layout.keep == 3


def test_a_file_of_the_page_that_was_changed_by_hand_is_not_led_to(host, layout):
    host.deploy(app=page(1))
    host.deploy(app=page(2))
    older = layout.releases / "r01/app/web/assets/app.1.css"
    older.write_text("HACKED")
    (layout.assets / "app.2.css").unlink()
    (layout.assets / "app.2.css").write_text("HACKED")
    assert host.deploy(app=page(2))["changed"] is False
    assert published(layout) == {"app.2.css": "2", "icon.0.svg": "icon"}


def test_a_link_is_never_missing_while_it_moves(tmp_path):
    path = tmp_path / "live"
    layouts.link(path, "a")
    first = path.lstat().st_ino
    layouts.link(path, "b")
    assert str(path.readlink()) == "b"
    assert path.lstat().st_ino != first
    assert [each.name for each in tmp_path.iterdir()] == ["live"]


def test_settings_that_do_not_fit_are_refused_in_one_line(tmp_path):
    path = tmp_path / "release.json"
    with pytest.raises(ReleaseError, match="release.json is not usable"):
        Layout.read(path)
    path.write_text('{"root": "/opt"}')
    with pytest.raises(ReleaseError, match="is not usable"):
        Layout.read(path)


def test_status_tells_people_and_programs_the_same(host, layout):
    host.deploy()
    host.deploy(model="new")
    found = json.loads(json.dumps(overview.overview(layout)))
    assert (found["live"]["id"], found["slot"]) == ("r02", "green")
    assert [each["id"] for each in found["releases"]] == ["r02", "r01"]
    text = overview.as_text(found)
    assert "warning" not in text
    assert "r02 in slot green" in text
    assert "accuracy 1.000" in text


def test_status_warns_of_what_does_not_serve(host, layout):
    host.deploy()
    host.unreachable.add("r01")
    assert "warning    Nginx does not lead to the release" in overview.as_text(
        overview.overview(layout)
    )
    host.running.clear()
    assert "classifier@blue.service does not run" in overview.as_text(overview.overview(layout))


def test_status_before_the_first_deploy_says_what_to_do(layout):
    assert "ansible-playbook deploy.yml" in overview.as_text(overview.overview(layout))


def test_a_release_on_trial_is_withdrawn_to_what_served_before(host, layout):
    host.deploy()
    host.deploy(trial_seconds=60, model="new")
    assert (host.live, host.returns_in) == ("r02", 60)
    done = rollback.withdraw(layout, "ops", "another host refused it")
    assert done == {"changed": True, "release": "r01", "left": "r02"}
    assert (host.live, host.returns_in) == ("r01", None)
    assert releases.mark(layout, "r02") == "rolled_back"
    assert audit.history(layout)[-1]["why"] == "another host refused it"


def test_a_first_release_on_trial_is_withdrawn_to_nothing(host, layout):
    host.deploy(trial_seconds=60)
    assert rollback.withdraw(layout, "ops", "why")["release"] is None
    assert (host.live, host.running) == (None, set())


def test_a_confirmed_release_stands(host, layout):
    host.deploy()
    host.deploy(trial_seconds=60, model="new")
    assert rollback.confirm(layout) == {"changed": True, "release": "r02"}
    assert host.returns_in is None
    assert rollback.withdraw(layout, "ops", "why") == {"changed": False, "release": "r02"}
    assert rollback.confirm(layout) == {"changed": False, "release": "r02"}


def test_a_rollback_on_trial_is_withdrawn_as_if_it_had_not_been(host, layout):
    host.deploy()
    host.deploy(model="new")
    rollback.rollback(layout, None, OWNER, trial_seconds=60)
    assert host.live == "r01"
    assert rollback.withdraw(layout, "ops", "why")["release"] == "r02"
    assert [releases.mark(layout, each) for each in ("r01", "r02")] == ["good", "good"]


def test_a_trial_after_an_unconfirmed_one_leads_back_to_where_that_one_led(host, layout):
    host.deploy()
    host.deploy(trial_seconds=60, model="new")
    host.deploy(trial_seconds=70, model="newer")
    assert rollback.withdraw(layout, "ops", "why")["release"] == "r01"
    assert host.live == "r01"


def test_a_refused_release_leaves_the_trial_before_it_as_it_was(host, layout):
    host.deploy()
    host.deploy(trial_seconds=60, model="new")
    host.bad.add("r03")
    with pytest.raises(ReleaseError):
        host.deploy(trial_seconds=70, model="newer")
    assert host.live == "r02"
    assert rollback.withdraw(layout, "ops", "why")["release"] == "r01"


def test_a_refused_release_was_never_on_trial(host, layout):
    host.deploy()
    host.bad.add("r02")
    with pytest.raises(ReleaseError):
        host.deploy(trial_seconds=60, model="new")
    assert (host.live, host.returns_in, trial.pending(layout)) == ("r01", None, None)


def test_a_release_without_trial_ends_the_trial_before_it(host, layout):
    host.deploy()
    host.deploy(trial_seconds=60, model="new")
    host.deploy(model="newer")
    assert (host.live, host.returns_in) == ("r03", None)
    assert rollback.withdraw(layout, "ops", "why") == {"changed": False, "release": "r03"}


def test_what_a_trial_leads_back_to_is_kept(host, layout):
    host.deploy()
    host.deploy(trial_seconds=60, model="new")
    for each in range(4):
        host.deploy(trial_seconds=60, model=f"newer {each}")
    assert releases.read(layout, "r01").id == "r01"


def test_a_host_takes_a_release_under_the_id_that_it_has_elsewhere(host, layout):
    host.deploy()
    again = replace(host.release(), id="elsewhere")
    assert deploy.deploy(layout, again, OWNER, exact_id=True)["changed"] is True
    assert host.live == "elsewhere"
    assert deploy.deploy(layout, again, OWNER, exact_id=True)["changed"] is False


def test_a_release_that_was_left_comes_back_under_its_own_id(host, layout):
    host.deploy()
    second = host.release(model="new")
    deploy.deploy(layout, second, OWNER)
    rollback.rollback(layout, None, OWNER)
    assert deploy.deploy(layout, second, OWNER)["changed"] is True
    assert host.live == "r02"
    assert releases.mark(layout, "r02") == "good"


def test_one_id_never_stands_for_two_contents(host, layout):
    host.deploy()
    other = replace(host.release(model="other"), id="r01")
    with pytest.raises(ReleaseError, match="with other parts"):
        deploy.deploy(layout, other, OWNER)


def test_status_tells_of_a_trial(host, layout):
    host.deploy()
    host.deploy(trial_seconds=60, model="new")
    assert "r02 is on trial: without a confirmation this host returns to r01" in overview.as_text(
        overview.overview(layout)
    )
