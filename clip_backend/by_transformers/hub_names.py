"""The tensors of DINO and NaFlex models under one set of names: those of transformers 5, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: What transformers 4 wrote -> what 5 writes.
_RENAMED = {
    "attention.attention.query.": "attention.q_proj.",
    "attention.attention.key.": "attention.k_proj.",
    "attention.attention.value.": "attention.v_proj.",
    "attention.output.dense.": "attention.o_proj.",
    "mlp.weights_out.": "mlp.down_proj.",
}
#: Beginnings that only one of the two versions writes.
_FRONTS = {"layer.": "model.layer.", "vision_model.": ""}
#: Of transformers 4: gate and value of a gated MLP, one below the other.
_PAIR = "mlp.weights_in."
_GATE, _VALUE = "mlp.gate_proj.", "mlp.up_proj."


@dataclass(frozen=True)
class Share:
    """A tensor of a file, or its first or second half."""

    name: str
    #: 0 for the first half of the rows, 1 for the second; None for all of it.
    half: int | None = None


def canonical(name: str) -> str:
    """The name that transformers 5 has for a tensor; that of a pair of matrices stays."""
    for old, new in _FRONTS.items():
        if name.startswith(old):
            name = new + name[len(old) :]
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def sources(wanted: Iterable[str], there: Iterable[str]) -> Mapping[str, tuple[Share, ...]]:
    """Where each wanted tensor stands among those that are there: shares to be put one below the other.

    Either side may have the names of transformers 4 or 5. Those that are not there are left out.
    """
    found: dict[str, Share] = {}
    for name in there:
        target = canonical(name)
        if _PAIR in target:
            found[target.replace(_PAIR, _GATE)] = Share(name, 0)
            found[target.replace(_PAIR, _VALUE)] = Share(name, 1)
        found[target] = Share(name)
    return {name: shares for name in wanted if (shares := _shares(canonical(name), found))}


def _shares(target: str, found: Mapping[str, Share]) -> tuple[Share, ...]:
    if target in found:
        return (found[target],)
    if _PAIR not in target:
        return ()
    halves = target.replace(_PAIR, _GATE), target.replace(_PAIR, _VALUE)
    return tuple(found[half] for half in halves) if all(half in found for half in halves) else ()
