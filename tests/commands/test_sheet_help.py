"""The help of the commands: what most runs need stands first, then every option once, by subject."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clip_grid.grid.template import GridTemplate
from clip_grid.options import options_of
from PIL import Image

from .drawn import Shell

GROUPS = [
    "positional arguments", "options", "the labels", "the table and the order of the pictures", "pages and cells",
    "scores on the sheet", "reading and writing", "labels and scores by CLIP", "the model",
]  # fmt: skip


def groups_of(shown: str) -> dict[str, str]:
    """The text of each group by its title."""
    parts = re.split(r"^(\S[^\n:]*):\n", shown, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def flags_in(text: str) -> list[str]:
    return re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE)


def test_what_most_sheets_need_stands_first_and_the_rest_by_subject(shell: Shell):
    groups = groups_of(shell("export", "--help").out)

    assert [title for title in groups if title in GROUPS] == GROUPS
    assert flags_in(groups["options"])[:5] == ["--title", "--columns", "--label-position", "--csv", "--format"]
    assert {"--template", "--use-clip", "--overwrite", "--dry-run"} <= set(flags_in(groups["options"]))
    assert "--badge" in flags_in(groups["scores on the sheet"])


#: For each command the flags that stand first, and one flag of each further group.
SUBJECTS = {
    "label": ("--labels --vocabulary --contrast --csv", {"the labels": "--threshold"}),
    "match": ("--image --text --calibration", {"the verdict": "--threshold", "how the texts are read": "--template"}),
    "match-batch": ("--out", {"the verdict": "--threshold", "how the texts are read": "--template"}),
    "rank": ("--text --like", {"what is kept": "--threshold", "how the texts are read": "--prompt-syntax"}),
    "index": (
        "--retry-failed --json --quiet",
        {"instead of indexing": "--purge", "the index": "--store", "how it computes": "--engine"},
    ),
    "search": (
        "--not --like --where --top --list --grid",
        {"what is looked for": "--keywords", "which hits are shown": "--duplicates", "the index": "--exact"},
    ),
}


@pytest.mark.parametrize("command", SUBJECTS)
def test_other_commands_show_first_what_most_runs_need_and_the_rest_by_subject(shell: Shell, command: str):
    first, subjects = SUBJECTS[command]

    shown = shell(command, "--help").out.partition("\noptions:\n")[2]

    groups = groups_of("options:\n" + shown)
    assert list(groups) == ["options", *subjects, "the model"]
    assert flags_in(groups["options"])[: len(first.split())] == first.split()
    assert {title: flag for title, flag in subjects.items() if flag not in flags_in(groups[title])} == {}
    assert len(set(flags_in(shown))) == len(flags_in(shown))


def test_every_option_of_a_template_stands_in_the_help_once(shell: Shell):
    flags = flags_in(shell("export", "--help").out)

    assert sorted(flags) == sorted(set(flags))
    assert {"--" + name.replace("_", "-") for name in options_of(GridTemplate)} <= set(flags)


def test_other_names_of_a_flag_stand_with_it(shell: Shell):
    shown = shell("export", "--help").out

    assert "--columns N, --cols N" in shown and "--model MODEL, --clip-model MODEL" in shown
    flags = flags_in(shown)
    assert flags[flags.index("--label-columns") + 1] == "--labels"
    assert flags[flags.index("--cell-height") + 1] == "--cell-size"


def test_colours_are_asked_for_as_colours(shell: Shell):
    shown = shell("export", "--help").out

    for name in ("text", "outline", "page-text", "pad", "border"):
        assert f"--{name}-color COLOR" in shown
    assert "(default: '')" not in shown


def test_verbose_says_where_labels_come_from_and_how_long_it_took(shell: Shell, tmp_path: Path):
    for name in ("a", "b"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    command = ("export", tmp_path / "a.png", tmp_path / "b.png", tmp_path / "s.png")

    assert shell(*command).err == ""
    assert re.fullmatch(
        r"note: labels: 2 from filename\nnote: took \d+\.\d s\n", shell(*command, "--overwrite", "--verbose").err
    )


@pytest.mark.parametrize(("count", "said"), [(1, "1 of 1 picture, grid 1x1"), (2, "2 of 2 pictures, grid ")])
def test_one_picture_is_counted_as_one(shell: Shell, tmp_path: Path, count: int, said: str):
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.new("RGB", (8, 8)).save(path)

    run = shell("export", *paths, tmp_path / "s.png")

    assert said in run.out
