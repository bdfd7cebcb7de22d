"""The module that puts several files right at once: what it writes, says and refuses."""

import getpass
import grp
import json
import os
import stat

import pytest

OWNER = {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}


@pytest.fixture
def manage(run, root):
    """Run the module on this machine; return its answer."""

    def call(*files, nothing_else=(), check_mode=False):
        arguments = {
            "files": [{**OWNER, **file, "path": str(file["path"])} for file in files],
            "nothing_else": [str(pattern) for pattern in nothing_else],
        }
        done = run(
            "ansible", "localhost", "--diff",
            "--module-path", "library", "--module-name", "managed_files",
            "--args", json.dumps(arguments), *(["--check"] if check_mode else []),
            folder=root / "ansible", check=False,
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json", ANSIBLE_LOAD_CALLBACK_PLUGINS="1",
        )  # fmt: skip
        return json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]

    return call


def mode_of(path):
    return oct(stat.S_IMODE(path.lstat().st_mode))


def test_all_of_it_is_made_and_the_second_time_nothing_is_changed(manage, tmp_path):
    wanted = [
        {"path": tmp_path / "a/b", "directory": True, "mode": "0700"},
        {"path": tmp_path / "a/b/settings", "content": "colour = grün\n", "mode": "0640"},
        {"path": tmp_path / "a/link", "link": "nowhere.sock"},
    ]
    first = manage(*wanted)
    assert first["changed_files"] == [str(file["path"]) for file in wanted]
    assert (tmp_path / "a/b/settings").read_text() == "colour = grün\n"
    assert mode_of(tmp_path / "a/b") == "0o700"
    assert mode_of(tmp_path / "a/b/settings") == "0o640"
    assert str((tmp_path / "a/link").readlink()) == "nowhere.sock"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b", "link"]
    second = manage(*wanted)
    assert manage(*wanted, check_mode=True)["changed_files"] == []
    assert (second["changed"], second["changed_files"], second["diff"]) == (False, [], [])


def test_a_check_names_every_difference_and_changes_nothing(manage, tmp_path):
    (tmp_path / "edited").write_text("old\n")
    (tmp_path / "mode").write_text("same\n")
    (tmp_path / "mode").chmod(0o666)
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "by_hand.conf").write_text("x")
    wanted = [
        {"path": tmp_path / "edited", "content": "new\n"},
        {"path": tmp_path / "mode", "content": "same\n"},
        {"path": tmp_path / "link", "link": "here"},
        {"path": tmp_path / "absent/file", "content": "x"},
    ]
    answer = manage(*wanted, nothing_else=[tmp_path / "*.conf"], check_mode=True)
    paths = [str(file["path"]) for file in wanted] + [str(tmp_path / "by_hand.conf")]
    assert answer["changed_files"] == paths
    assert [part["after_header"] for part in answer["diff"]] == paths
    assert (answer["diff"][0]["before"], answer["diff"][0]["after"]) == ("old\n", "new\n")
    assert answer["diff"][1]["before"]["mode"] == "0666"
    assert (tmp_path / "edited").read_text() == "old\n"
    assert mode_of(tmp_path / "mode") == "0o666"
    assert str((tmp_path / "link").readlink()) == "elsewhere"
    assert (tmp_path / "by_hand.conf").exists()
    assert not (tmp_path / "absent").exists()


def test_what_nobody_asked_for_is_removed_and_the_rest_stays(manage, tmp_path):
    (tmp_path / "unit.d").mkdir()
    (tmp_path / "unit.d/override.conf").write_text("x")
    (tmp_path / "other.txt").write_text("x")
    kept = {"path": tmp_path / "kept.d", "directory": True}
    answer = manage(kept, nothing_else=[tmp_path / "*.d"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.d", "other.txt"]
    assert answer["changed_files"] == [str(tmp_path / name) for name in ("kept.d", "unit.d")]


def test_one_content_that_is_not_valid_leaves_all_as_it_was(manage, tmp_path):
    answer = manage(
        {"path": tmp_path / "first", "content": "fine\n"},
        {"path": tmp_path / "second", "content": "{broken", "validate": "python3 -m json.tool %s"},
    )
    assert answer["failed"]
    assert f"The new {tmp_path / 'second'} is not valid: " in answer["msg"]
    assert answer["msg"].endswith("Nothing was written.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("there", "wanted"), [("folder", "content"), ("file", "directory")])
def test_a_thing_of_another_kind_is_not_removed_but_named(manage, tmp_path, there, wanted):
    path = tmp_path / "thing"
    path.mkdir() if there == "folder" else path.write_text("precious")
    answer = manage(
        {"path": tmp_path / "first", "content": "fine\n"},
        {"path": path, wanted: True if wanted == "directory" else "x"},
    )
    assert answer["failed"]
    assert f"{path} should be a " in answer["msg"]
    assert f"is a {there} on this host" in answer["msg"]
    assert [child.name for child in tmp_path.iterdir()] == ["thing"]


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(manage, tmp_path):
    (tmp_path / "target").write_text("mine\n")
    (tmp_path / "settings").symlink_to("target")
    manage({"path": tmp_path / "settings", "content": "new\n"})
    assert (tmp_path / "target").read_text() == "mine\n"
    assert not (tmp_path / "settings").is_symlink()
    assert (tmp_path / "settings").read_text() == "new\n"


def test_without_content_owner_and_mode_alone_are_looked_after(manage, tmp_path):
    (tmp_path / "program").write_text("x")
    (tmp_path / "program").chmod(0o777)
    answer = manage({"path": tmp_path / "program"}, {"path": tmp_path / "absent"})
    assert answer["changed_files"] == [str(tmp_path / "program")]
    assert mode_of(tmp_path / "program") == "0o644"
    assert not (tmp_path / "absent").exists()
