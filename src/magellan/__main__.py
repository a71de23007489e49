"""`magellan` and `python -m magellan`."""

import sys


def main() -> int:
    """Run the command line; returns the process's exit code."""
    try:
        # Imported here, so that Ctrl-C while Python is still loading is an interruption and not a traceback.
        from magellan.surfaces.cli.app import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; kept: everything, since nothing had begun\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
