"""``ReferenceImage``: a picture that an IP-Adapter follows, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from ..clip_backend.ip_adapter.reference_settings import ReferenceSettings
from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

    from ..clip_backend.preparing.pictures import OnePicture
    from .vision_encoder import VisionFeatures


@dataclass(eq=False)
class ReferenceImage:
    """A picture whose style or content an IP-Adapter takes, with its strength; or several of them."""

    #: PIL, numpy [H, W, C], torch [C, H, W] or a file; several in a list.
    image: OnePicture | Sequence[OnePicture] | None = None
    #: Factor on the influence of the reference; 1 is what the adapter was trained with.
    scale: float = 1.0
    #: Kept by ``IPAdapterService`` once they are extracted; computed anew for another model.
    features: VisionFeatures | None = None
    #: For FaceID: the vector of its face [512], or of several [faces, 512], from a face recognition model.
    face: ArrayLike | Tensor | None = None
    #: Where in the picture that is drawn it acts: a picture that is white there, or numbers [H, W] of 0 to 1. It is
    #: stretched to that picture.
    mask: OnePicture | None = None
    #: How its pictures are prepared and combined; ``scale`` multiplies the weight.
    settings: ReferenceSettings = field(default_factory=ReferenceSettings)

    @property
    def only_image(self) -> OnePicture:
        """The picture; raises InputError for none and for several."""
        if self.image is None:
            raise InputError("the reference has no picture; give it an image")
        several = self.image if isinstance(self.image, list | tuple) else [self.image]
        if len(several) != 1:
            raise InputError(f"the reference has {len(several)} pictures, and features are of one; give it one")
        return cast("OnePicture", several[0])
