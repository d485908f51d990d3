"""The base model of something that was learnt: what identifies it, and the refusal of any other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InputError, SpaceError
from ..finding.catalog import short_model_name

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Base:
    """A model as far as embeddings depend on it; no paths."""

    #: Its file's name, or its name on the hub.
    name: str
    #: Fingerprint of its weights; see ``checkpoints/fingerprints.py``.
    fingerprint: str
    #: Its embedding space.
    space: str
    #: Fingerprint of its preprocessing.
    preprocessing: str
    #: Fingerprint of its tokenizer; empty where texts play no part.
    tokenizer: str = ""

    @classmethod
    def of(cls, encoder: Encoder, *, with_texts: bool) -> Base:
        """The identity of an encoder; raises InputError for one that takes no pictures.

        with_texts: also that of its tokenizer, for which the text encoder is loaded.
        """
        identity = encoder.identity
        if identity.preprocessing is None:
            raise InputError(f"{identity.name} has no vision tower; choose a model with one to learn from pictures")
        return cls(
            name=short_model_name(identity.name),
            fingerprint=identity.fingerprint,
            space=identity.space,
            preprocessing=identity.preprocessing.fingerprint,
            tokenizer=_tokenizer_fingerprint(encoder) if with_texts else "",
        )

    @classmethod
    def from_dict(cls, values: Any) -> Base:
        """The base in JSON values; raises InputError, saying what is wrong, for anything else."""
        if not isinstance(values, dict):
            raise InputError("its base model is missing")
        names = ("name", "fingerprint", "space", "preprocessing", "tokenizer")
        if missing := [name for name in names if not isinstance(values.get(name), str)]:
            raise InputError(f"its base model lacks {', '.join(missing)}")
        return cls(**{name: values[name] for name in names})

    def to_dict(self) -> dict[str, str]:
        """Plain JSON values."""
        return asdict(self)

    @property
    def vision(self) -> str:
        """The part of the fingerprint that tells the vision tower."""
        return vision_fingerprint(self.fingerprint)

    def check_pictures(self, encoder: Encoder, what: str) -> None:
        """Raises SpaceError, with both fingerprints, unless the encoder gives pictures the same embeddings.

        what: was learnt on this base, as in "the head cats.safetensors".
        """
        other = Base.of(encoder, with_texts=False)
        differing = []
        if self.vision != other.vision:
            differing.append(f"weights {self.vision}, not {other.vision}")
        if self.preprocessing != other.preprocessing:
            differing.append(f"preparation of pictures {self.preprocessing}, not {other.preprocessing}")
        self._refuse(differing, encoder, what)

    def check(self, encoder: Encoder, what: str) -> None:
        """Raises SpaceError unless the encoder gives pictures and texts the same embeddings; see ``check_pictures``."""
        other = Base.of(encoder, with_texts=bool(self.tokenizer))
        told = {"fingerprint": "weights", "preprocessing": "preparation of pictures", "tokenizer": "tokenizer"}
        pairs = [(told[name], getattr(self, name), getattr(other, name)) for name in told]
        self._refuse([f"{name} {own}, not {its or 'none'}" for name, own, its in pairs if own != its], encoder, what)

    def _refuse(self, differing: list[str], encoder: Encoder, what: str) -> None:
        if differing:
            other = short_model_name(encoder.identity.name)
            raise SpaceError(
                f"{what} was learnt on {self.name} ({'; '.join(differing)} of {other}), whose embeddings mean "
                "something else; use that model, or train anew with this one"
            )


def vision_fingerprint(fingerprint: str) -> str:
    """The part of a model's fingerprint that tells its vision tower, the same for a file with both towers."""
    return fingerprint.partition("+")[0].partition("-")[0]


def _tokenizer_fingerprint(encoder: Encoder) -> str:
    from ..encoding.encoder import ClipEncoder

    # an encoder of another kind, such as ComfyUI's CLIP, has its tokenizer elsewhere
    return encoder.tokenizer.fingerprint if isinstance(encoder, ClipEncoder) else ""
