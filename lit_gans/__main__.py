"""``python -m lit_gans`` is ``lit-gans``."""

import os
import sys

if __name__ == "__main__":
    # Python looks into the working folder first: there, a file yaml.py would take the place of the library
    if sys.path[0] == os.getcwd() and not getattr(sys.flags, "safe_path", False):  # noqa: PTH109 (pathlib is not safe yet)
        sys.path.append(sys.path.pop(0))
    from lit_gans.cli.main import main

    main()
