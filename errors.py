"""Every error that the pack raises on purpose.

    ClipGridError
    ├── InputError            an argument, option, file or folder that cannot be used
    │   ├── PictureError      one picture cannot be read; carries its name and the reason
    │   ├── CheckpointError   a model file that cannot be used; names the file, what it is, and the cure
    │   ├── SpaceError        features or towers of different embedding spaces were to be put together
    │   └── ForbiddenPath     a path that leaves the folders that the host allows
    ├── LimitError            a sheet or a model does not fit the format or the memory
    ├── OutputError           the sheet cannot be written (no space, no permission, a file in the way)
    └── MissingPackage        an optional package is needed; names it and how to install it

Catch ``ClipGridError`` to answer all of them; the message says what, which, why and the cure.
"""

from __future__ import annotations

from .visible_text import printable


class ClipGridError(Exception):
    """The root: an error whose message is meant for the user.

    Whatever names it repeats, a terminal or log that shows it is given no orders.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class InputError(ClipGridError, ValueError):
    """Something that the caller gave cannot be used."""


class PictureError(InputError):
    """One picture cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        #: The picture's path or name.
        self.name = name
        #: Why it cannot be read, without the name.
        self.reason = reason

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, str]]:
        # an exception is pickled by its message alone, which is not what __init__ takes
        return type(self), (self.name, self.reason)


class CheckpointError(InputError):
    """A model file cannot be used."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        #: The file or folder.
        self.path = path
        #: What it is and what to do, without the path.
        self.reason = reason

    def __reduce__(self) -> tuple[type[CheckpointError], tuple[str, str]]:
        # an exception is pickled by its message alone, which is not what __init__ takes
        return type(self), (self.path, self.reason)


class SpaceError(InputError):
    """Numbers of different embedding spaces mean nothing to each other."""


class ForbiddenPath(InputError):
    """A path lies outside the folders that may be read or written."""


class LimitError(ClipGridError):
    """A sheet or a model is larger than its format or the memory can hold."""


class OutputError(ClipGridError, OSError):
    """A file cannot be written."""


class MissingPackage(ClipGridError, ImportError):
    """An optional package is needed for what was asked."""
