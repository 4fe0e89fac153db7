"""`lifecycle ...`: the command line. One sentence per error, `--json` on every command.

Exit status: 0 done; 1 the answer is no; 2 bad usage or input; 3 a part is not running.
"""

from __future__ import annotations

import sys

from lifecycle.commands import application
from lifecycle.errors import LifecycleError, UsageError


def main() -> None:
    """Run the command line; a failure we raise on purpose is one sentence, not a trace."""
    try:
        _check_text(sys.argv[1:])
        application()
    except LifecycleError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _check_text(arguments: list[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"The argument {argument!r} is not UTF-8: set the terminal to UTF-8 and type it again."
            ) from None


if __name__ == "__main__":
    main()
