"""`python -m timellm_ops.cli`: the same as `timellm-ops`."""

import sys

from timellm_ops.cli import main

sys.exit(main())
