"""The command line: `stpn`, or `python -m stpn`."""

import signal
import sys

from . import _stpn


def main() -> int:
    """Runs the command that `sys.argv` names; returns its exit code."""
    # The program catches Ctrl-C by itself, or ends by it. Python's handler would raise an exception nobody waits for.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _stpn.run(["stpn", *sys.argv[1:]], sys.executable)


if __name__ == "__main__":
    sys.exit(main())
