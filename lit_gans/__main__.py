"""``python -m lit_gans`` is ``lit-gans``."""

from lit_gans.cli import main

if __name__ == "__main__":
    main()
