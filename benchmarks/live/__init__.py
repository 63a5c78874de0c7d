"""Live widgets beside those of others; ``python -m benchmarks.live``."""

import sys
from pathlib import Path

# The browser and the servers are those of the tests, which import one another from there.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
