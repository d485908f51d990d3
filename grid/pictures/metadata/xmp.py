"""The texts of an XMP packet: what ComfyUI writes to AVIF, Draw Things to PNG and JPEG, and others by hand."""

from __future__ import annotations

from xml.parsers import expat

#: Properties that may hold generation data, whatever their namespace and prefix.
_PROPERTIES = frozenset({"prompt", "workflow", "parameters", "UserComment", "Comment", "description", "CreatorTool"})
#: Longer packets are ignored, in bytes.
_MAX_BYTES = 32 * 2**20


def xmp_texts(packet: bytes) -> dict[str, str]:
    """Text by local name of the properties that may hold generation data, given as attributes or as elements.

    Of a packet that is damaged, or that defines entities, the properties before that are read.
    """
    if not packet or len(packet) > _MAX_BYTES:
        return {}
    reader = _Reader()
    try:
        reader.parser.Parse(packet.strip(b"\0"), True)
    except (expat.ExpatError, ValueError, LookupError):
        # ValueError and LookupError are for an encoding that is not known, and for entities
        return reader.texts
    return reader.texts


class _Reader:
    """Collects the properties while expat reads the packet, so that nothing else is kept."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.EntityDeclHandler = _refuse_entities
        #: The property that is being read, how many elements are open in it, and its text so far.
        self._name, self._depth = "", 0
        self._parts: list[str] = []

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        for name, text in attributes.items():
            if (local := name.rpartition(" ")[2]) in _PROPERTIES:
                self.texts.setdefault(local, text)
        if self._name:
            # rdf:Alt and rdf:li around the text
            self._depth += 1
        elif (local := tag.rpartition(" ")[2]) in _PROPERTIES:
            self._name, self._depth, self._parts = local, 0, []

    def _data(self, text: str) -> None:
        if self._name:
            self._parts.append(text)

    def _end(self, tag: str) -> None:
        if not self._name:
            return
        if self._depth:
            self._depth -= 1
            return
        self.texts.setdefault(self._name, "".join(self._parts).strip())
        self._name = ""


def _refuse_entities(*declaration: object) -> None:
    """XMP has none; those that name each other grow without end."""
    raise ValueError("an XMP packet with entities")
