"""`python -m fx`: train a small classifier of handwritten digits and draw what it learned."""

from __future__ import annotations

from ._demo.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
