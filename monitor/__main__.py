"""Lets ``python -m monitor`` be the command ``monitor``."""

import os
import sys
from contextlib import suppress

# Python puts the working folder first, where a module of any name would stand before the one that is installed.
with suppress(OSError):
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 - quicker than to import pathlib
        del sys.path[0]

from monitor.cli import main

main()
