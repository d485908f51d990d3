"""What is shown of a sheet: its pages, collected while they are painted and reduced as far as need be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ...api.sheets import SheetInputs
from ...errors import InputError
from ...grid.template import GridTemplate
from ...imaging import Progress
from ..host.host import Host
from ..sockets.inputs import first_text, first_value, flat, label_texts, metadata_text
from ..sockets.prefix_tokens import fill_prefix
from ..sockets.types import Lists
from .inputs import DEFAULT_PREFIX, chosen_template, sheet_finders

#: Pixels of all pages together that are kept for the ``grid`` output: 0.8 GB as float32.
PAGE_BUDGET = 64_000_000
#: The name of the scores that are linked.
SCORE = "score"


@dataclass(frozen=True, kw_only=True)
class SheetRequest:
    """All that a sheet is made from, beside the pictures."""

    template: GridTemplate
    inputs: SheetInputs
    prefix: str
    #: Pixels of all pages together that may be handed on.
    budget: int = PAGE_BUDGET

    @property
    def csv(self) -> Path | None:
        """The table's file, as it was found."""
        return Path(self.inputs.csv) if self.inputs.csv else None


def read_request(inputs: Lists, host: Host, progress: Progress | None = None) -> SheetRequest:
    """What the inputs ask for; progress: of the search for labels and scores in the pictures.

    Raises InputError for a template, option, CSV file or font that cannot be used, ForbiddenPath among them, and
    for a vocabulary of that kind.
    """
    csv = first_text(inputs, "csv")
    prompt, extra = first_value(inputs, "prompt"), first_value(inputs, "extra_pnginfo")
    finders = sheet_finders(inputs, host, progress)
    given = SheetInputs(
        labels=label_texts(inputs),
        csv=host.folders.find(csv) if csv else None,
        metadata=metadata_text(inputs),
        texts=workflow_texts(host, prompt, extra),
        scores=given_scores(inputs),
        labeller=finders.labeller,
        scorer=finders.scorer,
        found_notes=finders.notes,
    )
    prefix = fill_prefix(first_text(inputs, "filename_prefix") or DEFAULT_PREFIX, prompt, extra, datetime.now())
    template = with_badge(chosen_template(inputs, host), given)
    return SheetRequest(template=template, inputs=given, prefix=prefix)


def given_scores(inputs: Lists) -> list[Mapping[str, float]]:
    """The linked scores under their name, one for each picture; raises InputError for what is no number."""
    return [{SCORE: _number(value, place)} for place, value in enumerate(flat(inputs.get("scores") or ()), 1)]


def _number(value: object, place: int) -> float:
    """The number, NaN where a picture could not be scored."""
    if isinstance(value, (int, float)):
        return float(value)
    raise InputError(f"score {place} is {value!r}; link a list of numbers to scores")


def with_badge(template: GridTemplate, inputs: SheetInputs) -> GridTemplate:
    """The template, showing the linked scores where it shows no other value."""
    return template.with_options({"badge": SCORE}) if inputs.scores and not template.badge else template


def workflow_texts(host: Host, prompt: object, extra: object) -> dict[str, str]:
    """The texts that ComfyUI writes into its pictures, as JSON; none when the server was told not to."""
    if not host.embeds_metadata:
        return {}
    texts = {} if prompt is None else {"prompt": json.dumps(prompt)}
    named = extra if isinstance(extra, Mapping) else {}
    return texts | {str(key): json.dumps(value) for key, value in named.items()}
