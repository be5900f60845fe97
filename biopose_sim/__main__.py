"""``python -m biopose_sim`` is the command ``biopose``."""

from __future__ import annotations

from biopose_sim.cli.main import main

if __name__ == "__main__":
    main()
