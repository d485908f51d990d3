"""How the extensions register, on a page like ComfyUI's in a real browser."""

from __future__ import annotations

import clip_grid


def test_every_extension_registers_under_a_name_of_its_own(page_of):
    names = page_of().page.evaluate("app.extensions.map((extension) => extension.name)")

    assert names
    assert len(set(names)) == len(names)
    assert all(name.startswith("clip_grid.") for name in names)


def test_every_node_can_be_put_on_the_page_and_saved(page_of):
    stub = page_of(*clip_grid.NODE_CLASS_MAPPINGS)

    saved = stub.page.evaluate("stub.workflow()")

    assert [node["type"] for node in saved["nodes"]] == list(clip_grid.NODE_CLASS_MAPPINGS)


def test_settings_and_commands_have_our_prefix_and_every_key_has_a_command(page_of):
    page = page_of().page
    manager = "app.extensionManager"

    commands = page.evaluate(f"{manager}.commandIds")
    bound = page.evaluate("app.extensions.flatMap((one) => (one.keybindings ?? []).map((key) => key.commandId))")

    assert {name.split(".")[0] for name in [*commands, *page.evaluate(f"{manager}.settingIds")]} <= {"ClipGrid"}
    assert set(bound) <= set(commands)


def test_a_value_of_a_saved_workflow_is_the_same_after_it_is_opened(page_of):
    stub = page_of("ClipGrid_LabeledGridExporter")
    stub.set("labels", "cat")
    stub.set("columns", 7)
    before = stub.page.evaluate("app.graphToPrompt().then((prompt) => prompt.output)")

    stub.reload()

    assert stub.page.evaluate("app.graphToPrompt().then((prompt) => prompt.output)") == before
