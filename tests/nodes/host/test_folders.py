"""Tests: which paths a workflow may name, and which prefixes files may have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from clip_grid.errors import ForbiddenPath, InputError
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.host.folders import AllowedFolders


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return Path(os.path.realpath(path))


def test_a_relative_path_is_looked_for_in_the_input_folder_first_then_in_the_output_folder(tmp_path):
    host = FakeHost(tmp_path)
    in_both, only_output = touch(tmp_path / "input/a.csv"), touch(tmp_path / "output/b.csv")
    touch(tmp_path / "output/a.csv")

    assert host.folders.find("a.csv") == in_both
    assert host.folders.find("b.csv") == only_output


def test_a_tag_at_the_end_names_the_folder(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/a.csv")
    wanted = touch(tmp_path / "output/a.csv")

    assert host.folders.find("a.csv [output]") == wanted


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("output", "output"), ("[output]", "output"), ("output/", "output"), ("[output]/", "output"),
        ("output/sub", "output/sub"), ("[output]/sub", "output/sub"), ("sub [output]", "output/sub"),
        ("input", "input"), ("input/mine", "input/mine"), ("temp", "temp"), ("[temp]", "temp"), (".", "input"),
        ("mine", "input/mine"), ("sub", "output/sub"),
    ],
)  # fmt: skip
def test_the_folders_of_comfyui_are_named_by_their_words(tmp_path, written, meant):
    host = FakeHost(tmp_path)
    touch(tmp_path / "output/sub/a.png")
    touch(tmp_path / "input/mine/a.png")

    assert host.folders.find_directories(written) == [Path(os.path.realpath(tmp_path / meant))]


def test_patterns_take_these_words_too(tmp_path):
    host = FakeHost(tmp_path)
    for name in ("output/a/1", "output/b/1", "input/c/1"):
        touch(tmp_path / name)

    assert [path.name for path in host.folders.find_directories("output/*")] == ["a", "b"]
    assert [path.name for path in host.folders.find_directories("* [output]")] == ["a", "b"]
    assert [path.name for path in host.folders.find_directories("*")] == ["c"]


def test_a_folder_of_the_user_goes_before_the_word(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/output/a.png")

    assert host.folders.find_directories("output") == [Path(os.path.realpath(tmp_path / "input/output"))]


@pytest.mark.parametrize("written", ["output/../../secret", "output//etc", "[output]/../../secret", "temp/../.."])
def test_no_word_leads_outside(tmp_path, written):
    (tmp_path / "secret").mkdir()

    with pytest.raises((ForbiddenPath, InputError)):
        FakeHost(tmp_path / "comfyui").folders.find_directories(written)


@pytest.mark.parametrize("written", ['"sub/a.csv"', "  sub/a.csv ", "'sub\\a.csv'", "sub\\a.csv"])
def test_a_path_may_be_quoted_and_use_backslashes(tmp_path, written):
    host = FakeHost(tmp_path)

    assert touch(tmp_path / "input/sub/a.csv") == host.folders.find(written)


def test_an_absolute_path_inside_an_allowed_folder_is_accepted(tmp_path):
    host = FakeHost(tmp_path, extra=(tmp_path / "added",))
    inside = touch(tmp_path / "added/deep/a.csv")

    assert host.folders.find(str(inside)) == inside
    assert host.folders.find("deep/a.csv") == inside


@pytest.mark.parametrize(
    "written", ["../secret.csv", "{root}/secret.csv", "a/../../secret.csv", "../secret.csv [temp]"]
)
def test_a_path_outside_is_forbidden_whether_it_exists_or_not(tmp_path, written):
    host = FakeHost(tmp_path)
    text = written.format(root=tmp_path)

    with pytest.raises(ForbiddenPath, match="extra_model_paths"):
        host.folders.find(text)
    touch(tmp_path / "secret.csv")
    with pytest.raises(ForbiddenPath):
        host.folders.find(text)


def test_a_folder_whose_name_only_begins_like_an_allowed_one_is_outside(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input2/a.csv")

    with pytest.raises(ForbiddenPath):
        host.folders.find(str(tmp_path / "input2/a.csv"))


def test_a_link_that_leads_outside_is_forbidden(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "secret.csv")
    (tmp_path / "input/link.csv").symlink_to(tmp_path / "secret.csv")

    with pytest.raises(ForbiddenPath):
        host.folders.find("link.csv")


def test_a_tilde_is_not_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "input"))
    touch(tmp_path / "input/a.csv")

    with pytest.raises(InputError, match="no file or folder"):
        FakeHost(tmp_path).folders.find("~/a.csv")


@pytest.mark.parametrize("written", ["", "  ", '""', "a\0b"])
def test_an_empty_or_invalid_path_is_refused(tmp_path, written):
    with pytest.raises(InputError, match="not a path"):
        FakeHost(tmp_path).folders.find(written)


def test_a_missing_file_is_named_with_the_places_that_were_searched(tmp_path):
    with pytest.raises(InputError, match=r"'no\.csv'.*input.*output"):
        FakeHost(tmp_path).folders.find("no.csv")


@pytest.mark.usefixtures("bound_by_permissions")
def test_what_cannot_be_told_is_not_called_missing(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/closed/a.csv")
    touch(tmp_path / "input/parent/open/a.png")
    (tmp_path / "input/parent/loop").symlink_to("loop")
    (tmp_path / "input/closed").chmod(0)
    try:
        with pytest.raises(InputError, match=r"'closed/a\.csv' cannot be read \(Permission denied\)"):
            host.folders.find("closed/a.csv")
        assert [path.name for path in host.folders.find_directories("closed/a*")] == ["closed"]
        assert [path.name for path in host.folders.find_directories("parent/*")] == ["loop", "open"]
    finally:
        (tmp_path / "input/closed").chmod(0o700)


def test_a_pattern_means_the_folders_that_it_matches_in_order_of_their_names(tmp_path):
    host = FakeHost(tmp_path)
    for name in ("b", "a", "c"):
        touch(tmp_path / "input/parent" / name / "x.png")
    touch(tmp_path / "input/parent/file.txt")

    found = host.folders.find_directories("parent/*")

    assert [path.name for path in found] == ["a", "b", "c"]


def test_a_folder_with_brackets_in_its_name_is_no_pattern(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/cats [2024]/x.png")

    assert [path.name for path in host.folders.find_directories("cats [2024]")] == ["cats [2024]"]


@pytest.mark.parametrize("pattern", ["{root}/*", "*/../../*", "../*"])
def test_a_pattern_cannot_lead_outside(tmp_path, pattern):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/a/x.png")

    with pytest.raises(ForbiddenPath):
        host.folders.find_directories(pattern.format(root=tmp_path))


def test_a_pattern_leaves_out_links_that_lead_outside(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/parent/a/x.png")
    touch(tmp_path / "elsewhere/x.png")
    (tmp_path / "input/parent/b").symlink_to(tmp_path / "elsewhere")

    assert [path.name for path in host.folders.find_directories("parent/*")] == ["a"]


def test_a_file_is_no_directory(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/a.csv")

    with pytest.raises(InputError, match="is a file"):
        host.folders.find_directories("a.csv")


@pytest.mark.parametrize("prefix", ["../a", "/tmp/a", "sub/../../a"])
def test_a_prefix_cannot_leave_the_output_folder(tmp_path, prefix):
    with pytest.raises(ForbiddenPath, match="filename_prefix"):
        FakeHost(tmp_path).save_path(prefix, 1, 1)


def test_the_fake_host_counts_on_from_the_largest_number_of_the_prefix(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "output/sub/a_00007_.png")
    touch(tmp_path / "output/sub/a_b_00009_.png")

    path = host.save_path("sub/a", 10, 20)

    assert (path.stem, path.counter, path.subfolder) == ("a", 8, "sub")
    assert host.save_path("%width%x%height%", 10, 20).stem == "10x20"


def test_folders_that_are_resolved_once_contain_what_they_contain_one_by_one(tmp_path):
    folders = AllowedFolders(tmp_path / "input", tmp_path / "real", tmp_path / "temp")
    outside = tmp_path / "real beside"
    for folder in (folders.input, folders.output / "sub", folders.temp, outside):
        folder.mkdir(parents=True)
    (folders.output / "sub" / "a.png").touch()
    (outside / "b.png").touch()
    (tmp_path / "linked").symlink_to(folders.output)
    (folders.output / "leads out.png").symlink_to(outside / "b.png")
    (folders.output / "out").symlink_to(outside)
    (outside / "leads in.png").symlink_to(folders.output / "sub" / "a.png")
    expected = {
        folders.output / "sub" / "a.png": True,
        tmp_path / "linked" / "sub" / "a.png": True,
        outside / "leads in.png": True,
        folders.output: True,
        folders.output / "gone.png": True,
        folders.output / "sub" / "..": True,
        folders.output / "..": False,
        folders.output / "leads out.png": False,
        folders.output / "out" / "b.png": False,
        outside / "b.png": False,
    }

    resolved = folders.resolved()

    assert {path: resolved.contains(path) for path in expected} == expected
    assert {path: folders.contains(path) for path in expected} == expected


def test_many_paths_of_one_folder_are_resolved_at_the_cost_of_one(tmp_path, monkeypatch):
    resolved = AllowedFolders(tmp_path / "input", tmp_path / "output", tmp_path / "temp").resolved()
    asked = []
    monkeypatch.setattr(os.path, "realpath", lambda path: asked.append(path) or str(path))

    assert all(resolved.contains(tmp_path / "output" / f"{number}.png") for number in range(50))
    assert asked == [str(tmp_path / "output")]
