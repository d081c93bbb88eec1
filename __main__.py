"""`python -m queryproof`."""

from .cli import main

main()
