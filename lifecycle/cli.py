"""`lifecycle ...`: the command line. One sentence per error, `--json` on every command.

Exit status: 0 done; 1 the answer is no; 2 bad usage or input; 3 a part is not running.
"""

from __future__ import annotations

import sys

from lifecycle.commands import application
from lifecycle.errors import LifecycleError


def main() -> None:
    """Run the command line; a failure we raise on purpose is one sentence, not a trace."""
    try:
        application()
    except LifecycleError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
