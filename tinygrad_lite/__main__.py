"""`python -m tinygrad_lite` and the console script `tinygrad-lite`."""

import sys

from tinygrad_lite.cli import main

if __name__ == "__main__":
    sys.exit(main())
