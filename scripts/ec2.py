"""What becomes of a stack on EC2 after `provision.yml` made it: see --help."""

import sys

from lifecycle.command import main

if __name__ == "__main__":
    sys.exit(main())
