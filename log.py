"""The log of the package, in which names and labels of users' files cannot give orders to a terminal."""

from __future__ import annotations

import logging

from .visible_text import printable


class _Printable(logging.Filter):
    """Messages with escapes in place of control characters."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(record.getMessage()), ()
        return True


logger = logging.getLogger("clip_grid")
logger.addFilter(_Printable())
