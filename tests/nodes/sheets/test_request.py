"""Tests: a sheet's template is chosen, saved and overridden by options; its font is in an allowed folder."""

from __future__ import annotations

import pytest
from clip_grid.errors import ForbiddenPath, InputError
from clip_grid.nodes.grid_nodes import GridTemplateNode, LabeledGridExporterNode
from clip_grid.nodes.sheets.request import choose_template


def test_an_option_beats_the_template_and_one_at_its_default_does_not(host):
    inputs = {"template": ["dark-theme"], "margin": [3], "background": ["white"]}

    template = choose_template(inputs, host)

    assert (template.margin, template.background) == (3, "30,30,30")


def test_a_template_may_be_linked(host):
    linked = GridTemplateNode().execute(name=["mine"], gap=[7])["result"][0]

    template = choose_template({"template": [linked], "columns": [2]}, host)

    assert (template.name, template.gap, template.columns) == ("mine", 7, 2)


def test_a_saved_template_can_be_chosen_by_its_name(host):
    answer = GridTemplateNode().execute(name=["mine"], save=[True], gap=[7])

    assert "mine.json" in answer["ui"]["text"][0]
    assert choose_template({"template": ["mine"]}, host).gap == 7
    assert "mine" in LabeledGridExporterNode.INPUT_TYPES()["optional"]["template"][1]["options"]


def test_a_template_is_saved_only_if_asked_for(host):
    GridTemplateNode().execute(name=["mine"], gap=[7])

    assert not host.templates_folder.exists()


@pytest.mark.parametrize("name", ["../mine", "a/b", "", ".hidden"])
def test_a_template_is_never_saved_outside_its_folder(host, name):
    with pytest.raises(InputError, match="cannot name a template"):
        GridTemplateNode().execute(name=[name], save=[True])


def test_a_missing_template_is_refused_with_the_closest_name(host):
    with pytest.raises(InputError, match="did you mean 'dark-theme'"):
        choose_template({"template": ["dark-them"]}, host)


@pytest.mark.parametrize("font", ["/etc/passwd", "../font.ttf", "~/font.ttf", "pyproject.toml"])
def test_a_font_file_outside_the_allowed_folders_is_forbidden(host, font, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)

    with pytest.raises((ForbiddenPath, InputError), match="folder"):
        choose_template({"font": [font]}, host)


def test_a_font_of_a_linked_template_must_be_in_an_allowed_folder_too(host):
    with pytest.raises(ForbiddenPath):
        choose_template({"template": [{"name": "x", "font": "/etc/passwd"}]}, host)


def test_a_font_in_the_input_folder_is_taken_by_its_path(host):
    (host.folders.input / "my.ttf").write_bytes(b"font")

    assert choose_template({"font": ["my.ttf"]}, host).font.endswith("my.ttf")
    assert choose_template({"font": ["Some Family"]}, host).font == "Some Family"
