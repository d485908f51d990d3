"""What an IP-Adapter file is, by the names and shapes of its tensors alone: from its path to an AdapterInfo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from ...errors import CheckpointError, InputError
from ..checkpoints.read import main_dtype
from ..checkpoints.safetensors_header import Opener, open_unbuffered
from ..checkpoints.weight_files import find_weights
from .projection_shapes import ProjectionSizes, Shape, ShapeError, Shapes, projection_kind, projection_sizes
from .tensor_names import LORA_LETTERS, AdapterNames, foreign_reason, sort_names
from .variants import (
    DIFFERENT,
    FAMILY_TITLES,
    UNET_FAMILIES,
    VARIANTS,
    Family,
    PictureInput,
    Projection,
    Variant,
    VariantName,
    variant_named,
)

#: How many key and value weights adapters for a family have.
USUAL_PAIRS: Mapping[Family, int] = {"sd15": 16, "sd2": 16, "sdxl": 70, "flux": 57, "sd35": 38}
_XLABS_PAIRS = 19
DAMAGED = "the file is incomplete, fetch it again"


@dataclass(frozen=True, kw_only=True)
class AdapterInfo:
    """What an adapter is, and what of it was assumed."""

    #: None for tensors that were given.
    path: Path | None = None
    #: One of ``possible``: by the file's name, else the most frequent one, unless it was given.
    variant: Variant
    #: All variants that have such tensors, the chosen one first.
    possible: tuple[VariantName, ...]
    #: Family of the models that it is for; None for a width of text states that no known family has.
    family: Family | None
    sizes: ProjectionSizes
    #: The columns of its key and value weights, which is the width of the tokens.
    context: int
    #: The rows of each pair of key and value weights, in the order of the file: the widths of the attention layers.
    site_widths: tuple[int, ...]
    #: Rank of the LoRA in the same file; 0 without one.
    lora_rank: int = 0
    #: Dtype of most of its weights: "float16" or another name of torch.
    dtype: str = ""
    size_bytes: int = 0
    is_pickle: bool = False
    #: What the tensors do not tell, and why it was chosen; sentences.
    assumed: tuple[str, ...] = ()
    #: What the user should know.
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How messages name it."""
        return str(self.path) if self.path else "the adapter"

    @property
    def projection(self) -> Projection:
        """What its tokens are computed by."""
        return self.variant.projection

    @property
    def picture_input(self) -> PictureInput:
        """What it takes of a picture."""
        return self.variant.picture_input

    @property
    def tokens(self) -> int | None:
        """How many one picture becomes; None where it is one for each token of the vision encoder."""
        return self.sizes.tokens

    @property
    def pairs(self) -> int:
        """How many attention layers it has weights for."""
        return len(self.site_widths)

    def to_dict(self) -> dict[str, object]:
        """Everything that is known about it, of strings, numbers, lists and dicts."""
        return {
            "path": self.label, "variant": self.variant.name, "title": self.variant.title,
            "possible": list(self.possible), "family": self.family, "projection": self.projection,
            "picture_input": self.picture_input, "input_width": self.sizes.input_width, "tokens": self.tokens,
            "token_width": self.sizes.token_width, "context": self.context, "pairs": self.pairs,
            "lora_rank": self.lora_rank, "dtype": self.dtype, "size_bytes": self.size_bytes,
            "assumed": list(self.assumed), "notes": list(self.notes), "problem": self.problem,
        }  # fmt: skip

    @property
    def problem(self) -> str:
        """Why it cannot be used although it is recognised; empty if it can."""
        return self.variant.problem

    def check_usable(self) -> None:
        """Raises InputError with its problem."""
        if self.problem:
            raise InputError(f"{self.label} is {self.problem}")


def read_adapter_info(
    path: str | PathLike[str],
    *,
    variant: str | None = None,
    allow_pickle: bool = False,
    opener: Opener = open_unbuffered,
) -> AdapterInfo:
    """What the adapter in a file is; of a safetensors file the header alone is read.

    variant: one of ``VARIANT_NAMES``, for tensors that several have. allow_pickle: also a .bin of torch, of which
    nothing but tensors is read. Raises CheckpointError for what is no adapter, naming its first tensors, and for one
    that is damaged; InputError for a variant that has other tensors.
    """
    files = find_weights(Path(path), opener)
    if files.other_format is None:
        entries = files.tensors
    elif allow_pickle and files.other_format.is_readable_pickle:
        # imports torch, which safetensors files do not need
        from .containers import pickled_entries

        entries = pickled_entries(files.files[0])
    else:
        raise CheckpointError(str(path), files.other_format.problem)
    shapes = {name: entry.shape for name, entry in entries.items()}
    info = detect_adapter(shapes, path=files.path, variant=variant)
    is_pickle = files.other_format is not None
    return replace(info, dtype=main_dtype(entries.values()), size_bytes=files.size_bytes, is_pickle=is_pickle)


def detect_adapter(shapes: Shapes, *, path: Path | None = None, variant: str | None = None) -> AdapterInfo:
    """What the adapter with tensors of these names and shapes is.

    path: of its file, whose name hints at the variant. Raises as ``read_adapter_info``.
    """
    names = sort_names(shapes)
    label = str(path) if path else "the adapter"
    if not names.image_proj and not names.pairs:
        raise CheckpointError(label, foreign_reason(shapes))
    try:
        return _detected(names, shapes, path, variant)
    except ShapeError as error:
        raise CheckpointError(label, str(error)) from error


def _detected(names: AdapterNames, shapes: Shapes, path: Path | None, variant: str | None) -> AdapterInfo:
    _check_complete(names)
    pairs = [_pair_shape(names, shapes, number) for number in names.numbers]
    context = pairs[0][1]
    if odd := next((place for place, pair in enumerate(pairs) if pair[1] != context), None):
        number = names.numbers[odd]
        raise ShapeError(
            f"the pair {number} reads {pairs[odd][1]} dimensions where the first reads {context}; {DAMAGED}"
        )
    family = _family(names, context)
    image_proj = {name: shapes[full] for name, full in names.image_proj.items()}
    kind = projection_kind(image_proj, is_flux=names.numbering != "unet")
    if kind is None:
        raise ShapeError(foreign_reason(names.image_proj.values()))
    sizes = projection_sizes(kind, image_proj)
    rank = _lora_rank(names, shapes)
    possible = _possible_variants(kind, family, sizes, names, has_lora=rank > 0)
    chosen, assumed = _chosen(possible, path, variant)
    if sizes.token_width != context and not chosen.problem:
        raise ShapeError(
            f"its tokens have {sizes.token_width} dimensions, but its key and value weights read {context}; it was put "
            "together from different adapters"
        )
    others = tuple(one.name for one in possible if one is not chosen)
    return AdapterInfo(
        path=path, variant=chosen, possible=(chosen.name, *others), family=family, sizes=sizes, context=context,
        site_widths=tuple(rows for rows, _ in pairs), lora_rank=rank, assumed=assumed,
        notes=tuple(_notes(names, family, sizes, chosen)),
    )  # fmt: skip


def _check_complete(names: AdapterNames) -> None:
    """Raises ShapeError unless projection and pairs are there, in a row, and nothing else."""
    if names.foreign:
        raise ShapeError(f"holds {names.foreign[0][:80]!r}, which belongs to no IP-Adapter that is known")
    if not names.image_proj:
        raise ShapeError(f"holds key and value weights but no image_proj, which makes tokens of pictures; {DAMAGED}")
    if not names.pairs:
        raise ShapeError(f"holds image_proj but no ip_adapter, which are the key and value weights; {DAMAGED}")
    step, first = (2, 1) if names.numbering == "unet" else (1, 0)
    for place, number in enumerate(names.numbers):
        if number != first + step * place:
            raise ShapeError(f"the pair {first + step * place} of key and value weights is missing; {DAMAGED}")


def _pair_shape(names: AdapterNames, shapes: Shapes, number: int) -> Shape:
    """Shape of the key and value weights of one attention layer: [width of the layer, width of a token]."""
    found: list[Shape] = []
    for letter in "kv":
        full = names.pairs.get((number, letter, "weight"))
        if full is None:
            raise ShapeError(f"the pair {number} has no {letter} weights; {DAMAGED}")
        bias = names.pairs.get((number, letter, "bias"))
        if len(shapes[full]) != 2 or 0 in shapes[full] or (bias and shapes[bias] != shapes[full][:1]):
            raise ShapeError(f"{full} has the impossible shape {list(shapes[full])}; {DAMAGED}")
        found.append(shapes[full])
    if found[0] != found[1]:
        raise ShapeError(f"the pair {number} has key weights of {list(found[0])} and value weights of {list(found[1])}")
    return found[0]


def _family(names: AdapterNames, context: int) -> Family | None:
    """Family of the models that it is for, by the numbering of its pairs, else by the width of their input."""
    if names.sd35:
        return "sd35"
    return UNET_FAMILIES.get(context) if names.numbering == "unet" else "flux"


def _lora_rank(names: AdapterNames, shapes: Shapes) -> int:
    """Rank of the LoRA for both attentions of every layer; 0 without one. Raises ShapeError if a part is missing."""
    if not names.lora:
        return 0
    for number in range(2 * len(names.numbers)):
        for letter, direction in ((a, b) for a in LORA_LETTERS for b in ("down", "up")):
            if (number, letter, direction) not in names.lora:
                raise ShapeError(f"the LoRA of attention {number} has no to_{letter}_lora.{direction}; {DAMAGED}")
    ranks = {shapes[full][0] if key[2] == "down" else shapes[full][-1] for key, full in names.lora.items()}
    if len(ranks) > 1:
        raise ShapeError(f"its LoRA has the ranks {', '.join(map(str, sorted(ranks)))} at once; {DAMAGED}")
    return ranks.pop()


def _possible_variants(
    kind: Projection, family: Family | None, sizes: ProjectionSizes, names: AdapterNames, *, has_lora: bool
) -> list[Variant]:
    """The variants with such tensors, in the order of ``VARIANTS``; sizes that no variant has exclude none."""
    numbering = names.numbering
    alike = [
        one for one in VARIANTS
        if one.projection == kind and one.numbering == numbering and one.has_lora in (None, has_lora)
        and (family is None or family in one.families)
    ]  # fmt: skip
    exact = [
        one for one in alike
        if one.tokens in (None, sizes.tokens) and (not one.input_widths or sizes.input_width in one.input_widths)
    ]  # fmt: skip
    if found := exact or [one for one in alike if one.is_general]:
        return found
    raise ShapeError(
        f"has a projection ({kind}) and key and value weights numbered as {numbering}, which belong to no IP-Adapter "
        f"that is known together; {DAMAGED}"
    )


def _chosen(possible: list[Variant], path: Path | None, wanted: str | None) -> tuple[Variant, tuple[str, ...]]:
    """One of the possible variants, and what was assumed in choosing it."""
    titles = " and ".join(one.title for one in possible)
    if wanted:
        variant = variant_named(wanted)
        if variant in possible:
            return variant, ()
        names = " or ".join(repr(one.name) for one in possible)
        raise InputError(f"the adapter is no {variant.title}; its tensors are those of {names}")
    if len(possible) == 1:
        return possible[0], ()
    hinted = [one for one in possible if path and one.is_hinted(path.name)]
    chosen = hinted[0] if hinted else possible[0]
    why = "by the name of the file" if hinted else "which is the usual one; the name of the file says no other"
    differ = any(one.name in DIFFERENT for one in possible)
    effect = "they are computed differently, so choose the variant if this is wrong" if differ else "they work alike"
    return chosen, (f"{titles} have the same tensors; {chosen.title} is assumed, {why} ({effect})",)


def _notes(names: AdapterNames, family: Family | None, sizes: ProjectionSizes, chosen: Variant) -> Iterator[str]:
    count = len(names.numbers)
    usual = _XLABS_PAIRS if names.is_xlabs else USUAL_PAIRS[family] if family else count
    if family is None:
        yield f"its tokens have {sizes.token_width} dimensions, which no known model reads; it fits one that does"
    elif count != usual:
        yield (
            f"it has {count} pairs of key and value weights where adapters for {FAMILY_TITLES[family]} have {usual}; "
            "it fits only a model with as many attention layers"
        )
    if chosen.name in ("faceid", "faceid-plus", "faceid-plus-v2") and not names.lora:
        yield "its LoRA, with which FaceID adapters are trained, is not in this file; load it by itself"
    if chosen.name == "instantid":
        yield "InstantID also wants its ControlNet, and vectors of antelopev2 that are not normalised"
