"""``python -m <folder>``: the command line from a checkout or an installed package."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
