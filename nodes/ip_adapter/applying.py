"""What IP-Adapter Apply and IP-Adapter Embeds do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...clip_backend.ip_adapter.apply import apply_adapter
from ...clip_backend.ip_adapter.apply_settings import WEIGHT_TYPES, ApplySettings
from ...clip_backend.ip_adapter.comfy_functions import functions_beside
from ...clip_backend.ip_adapter.faces import with_lengths
from ...clip_backend.ip_adapter.reference_settings import COMBINATIONS
from ...clip_backend.ip_adapter.references import Reference
from ...clip_backend.ip_adapter.sites import Site, find_sites
from ...clip_backend.ip_adapter.weights_per_site import site_weights
from ...errors import InputError
from ...options import option, read_options
from ..host.host import Host
from ..sockets.notes import log_notes
from .adapters import adapter_of
from .references import describe, references_of

#: More terms than this take long at every step.
MANY = 16
KEEP = "keep"
#: Families of models with curves that are known beforehand: the names of the parts of the places in their order.
PLACES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "sd15": (("input", 6), ("middle", 1), ("output", 9)),
    "sdxl": (("input", 4), ("middle", 1), ("output", 6)),
}


@dataclass(frozen=True)
class EmbedsOptions:
    """The widgets of IP-Adapter Embeds."""

    file: str = option(
        "",
        "A file of references to add to those that are connected: one that this node saved, in the input or output "
        "folder, or an .ipadpt of ComfyUI_IPAdapter_plus.",
    )
    combine: str = option(
        KEEP,
        "keep leaves the references as they are; the others make one of all of them, each with its weight, as in "
        "IP-Adapter Reference.",
        choices=(KEEP, *COMBINATIONS),
    )
    save_as: str = option(
        "", "Save the references in the output folder under this name and a number; empty = do not save."
    )


def apply_references(
    model: Any, adapter: object, references: object, options: Mapping[str, object], host: Host, node: str
) -> tuple[Any, dict[str, list[Any]]]:
    """(the model that sees the references, what the node shows); raises as ``apply_adapter``.

    node: the id of the node, which gets a line where a run has something to say.
    """

    def note(text: str) -> None:
        log_notes([text])
        host.note(node, text)

    settings = read_options(ApplySettings, options)
    loaded = adapter_of(adapter)
    info = loaded.adapter.info
    given, notes = with_lengths(info, references_of(references))
    if not given:
        raise InputError("there is no reference; connect IP-Adapter Reference or IP-Adapter Embeds")
    terms = sum(not one.is_negative for one in given)
    if terms > MANY:
        notes.append(
            f"{terms} references make {terms} attentions at every place of the model, which takes long; combine "
            "pictures by concat or average"
        )
    log_notes(notes)
    comfy = replace(functions_beside(model), note=note)
    patched = apply_adapter(model, loaded.adapter, given, settings=settings, comfy=comfy)
    text = "\n".join([f"{info.variant.title}: {describe(given)}", *info.assumed, *notes])
    return patched, {"text": [text], "clip_places": _factors(model, settings)}


def _factors(model: Any, settings: ApplySettings) -> list[float]:
    """What each place of a UNet is weighted by; empty for other models."""
    unet = getattr(getattr(model, "model", None), "diffusion_model", None)
    if not hasattr(unet, "input_blocks"):
        return []
    return _by_place(find_sites(unet), settings.weight_type, settings.place_weights)


def _by_place(sites: tuple[Site, ...], weight_type: str, place_weights: str) -> list[float]:
    weights = site_weights(sites, weight_type, place_weights)
    # of a place where the other side's tokens are looked at nothing of the picture is left
    known = {
        site.place: 0.0 if weight.is_unconditional else weight.factor
        for site, weight in zip(sites, weights, strict=True)
    }
    return [round(known[place], 4) for place in sorted(known)]


def curves() -> dict[str, dict[str, list[float]]]:
    """By family and weight type: the weight of each place, for the curve in the node."""
    found = {}
    for family, parts in PLACES.items():
        names = [name for name, count in parts for _ in range(count)]
        sites = tuple(Site((name, place, 0), place, 1, None) for place, name in enumerate(names))
        found[family] = {name: _by_place(sites, name, "") for name in WEIGHT_TYPES}
    return found


def gather_embeds(
    references: object, options: Mapping[str, object], host: Host
) -> tuple[tuple[Reference, ...], str, str]:
    """(references, the file that was saved or "", a line for the node): loaded, combined, saved as the widgets say.

    Raises InputError for no references, a file that is none, and references that do not combine; ForbiddenPath for
    files outside the allowed folders.
    """
    from ...clip_backend.ip_adapter.combining import combine
    from ...clip_backend.ip_adapter.embeds_file import load_references, save_references

    settings = read_options(EmbedsOptions, options)
    found = tuple(references_of(references))
    if settings.file.strip():
        found = (*found, *load_references(host.folders.find(settings.file)))
    if not found:
        raise InputError("there is no reference; connect references, or name a file")
    if settings.combine != KEEP:
        found = combine(found, settings.combine)
    saved = ""
    if settings.save_as.strip():
        path = host.save_path(settings.save_as.strip(), 0, 0)
        target = path.folder / f"{path.stem}_{path.counter:05}_.safetensors"
        save_references(target, found)
        saved = host.folders.shown_path(str(target))
    line = describe(found)
    return found, saved, f"{line}; saved as {saved}" if saved else line
