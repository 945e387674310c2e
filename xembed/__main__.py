"""``python -m xembed``."""

from xembed.cli import main

if __name__ == "__main__":
    main()
