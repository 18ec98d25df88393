"""Lets ``python -m monitor`` be the command ``monitor``."""

from monitor.cli import main

main()
