"""Run this strategy from its own folder: `python runner.py --help`."""

from magellan.surfaces.runner import main

if __name__ == "__main__":
    raise SystemExit(main(__file__))
