"""`python -m fx.examples`: what there is."""

from __future__ import annotations

from fx import examples

if __name__ == "__main__":
    print(examples.__doc__)
