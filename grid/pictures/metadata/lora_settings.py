"""The LoRAs of a text of AUTOMATIC1111's kind: in tags of the prompt, and in settings of extensions and other tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .columns import as_object, loras_text, weights_name

#: A name and how strongly it is applied, as they are written.
Lora = tuple[str, object]

#: In a prompt; extensions take the same tags for LyCORIS.
LORA_TAG = re.compile(r"<(?:lora|lyco):([^:<>]{1,200})((?::[^:<>]{1,40}){0,6})>")
#: Two tools number their settings: Additional Networks from 1, ComfyUI's SaveImageWithMetaData from 0.
_NUMBERED = (
    (re.compile(r"AddNet Model (\d{1,2})"), "AddNet Weight A {}", re.compile(r"AddNet .*")),
    (re.compile(r"Lora_(\d{1,2}) Model name"), "Lora_{} Strength model", re.compile(r"Lora_\d{1,2} .*")),
)
#: Additional Networks writes `name(hash)`.
_HASH_BEHIND = re.compile(r"\([0-9a-f]{8,64}\)$", re.IGNORECASE)
_LORA_TYPES = frozenset({"lora", "locon", "lycoris", "dora"})


def infotext_loras(prompt: str, settings: Mapping[str, str], resources: Sequence[object]) -> tuple[str, dict[str, str]]:
    """The LoRAs as `loras_text` writes them, and the settings without those that only say the same.

    resources: the models that Civitai names, as JSON values.
    """
    numbered, others = _numbered(settings)
    found = [*_tags(prompt), *numbered] or list(_weights(settings)) or list(_of_civitai(resources))
    if found:
        others.pop("Lora hashes", None)
    else:
        # the second part of a hash entry is no strength, so that only the names are known
        found = [(entry.partition(":")[0], "") for entry in settings.get("Lora hashes", "").split(",")]
    return loras_text({weights_name(name): (name, strength) for name, strength in found}.values()), others


def _tags(prompt: str) -> Iterator[Lora]:
    for name, rest in LORA_TAG.findall(prompt):
        parts = rest.split(":")[1:]
        # `te=0.5:unet=0.8` names what it weighs; what counts for the picture is the U-Net
        named = dict(part.split("=", 1) for part in parts if "=" in part)
        plain = [part for part in parts if "=" not in part]
        yield name, named.get("unet") or (plain[0] if plain else named.get("te", "1"))


def _numbered(settings: Mapping[str, str]) -> tuple[list[Lora], dict[str, str]]:
    loras: list[Lora] = []
    others = dict(settings)
    for name_label, weight_label, of_tool in _NUMBERED:
        slots = {match[1]: settings[label] for label in settings if (match := name_label.fullmatch(label))}
        for slot, name in slots.items():
            loras.append((_HASH_BEHIND.sub("", name), settings.get(weight_label.format(slot), "")))
        if slots:
            others = {label: value for label, value in others.items() if not of_tool.fullmatch(label)}
    return loras, others


def _weights(settings: Mapping[str, str]) -> Iterator[Lora]:
    """LoRAs as Fooocus writes them, `Lora weights: "a: 0.1, b: 1.0"`."""
    for entry in filter(None, settings.get("Lora weights", "").split(",")):
        name, _, strength = entry.rpartition(":")
        yield name, strength


def _of_civitai(resources: Sequence[object]) -> Iterator[Lora]:
    for record in map(as_object, resources):
        name = record.get("modelName")
        if isinstance(name, str) and resource_type(record) in _LORA_TYPES:
            yield name, record.get("weight", "")


def resource_type(record: Mapping[str, object]) -> str:
    """`lora` from {"type": "lora"}, or from {"air": "urn:air:sd1:lora:civitai:1@2"}."""
    parts = str(record["air"]).split(":") if isinstance(record.get("air"), str) else []
    kind = record.get("type", parts[3] if len(parts) > 3 else "")
    return kind.lower() if isinstance(kind, str) else ""
