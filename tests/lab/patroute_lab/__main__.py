"""python3 -m patroute_lab: the command `lab`."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
