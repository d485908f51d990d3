"""What a node was asked for, read from its sockets into the core's own types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..api.sheets import SheetInputs
from ..grid.template import GridTemplate
from .host import Host
from .prefix_tokens import fill_prefix
from .previews import PAGE_BUDGET
from .sockets import DEFAULT_PREFIX, Lists, chosen_template, first_text, first_value, label_texts, metadata_text


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


def read_request(inputs: Lists, host: Host) -> SheetRequest:
    """Raises InputError for a template, option, CSV file or font that cannot be used, ForbiddenPath among them."""
    csv = first_text(inputs, "csv")
    prompt, extra = first_value(inputs, "prompt"), first_value(inputs, "extra_pnginfo")
    given = SheetInputs(
        labels=label_texts(inputs),
        csv=host.folders.find(csv) if csv else None,
        metadata=metadata_text(inputs),
        texts=workflow_texts(host, prompt, extra),
    )
    prefix = fill_prefix(first_text(inputs, "filename_prefix") or DEFAULT_PREFIX, prompt, extra, datetime.now())
    return SheetRequest(template=chosen_template(inputs, host), inputs=given, prefix=prefix)


def workflow_texts(host: Host, prompt: object, extra: object) -> dict[str, str]:
    """The texts that ComfyUI writes into its pictures, as JSON; none when the server was told not to."""
    if not host.embeds_metadata:
        return {}
    texts = {} if prompt is None else {"prompt": json.dumps(prompt)}
    named = extra if isinstance(extra, Mapping) else {}
    return texts | {str(key): json.dumps(value) for key, value in named.items()}
