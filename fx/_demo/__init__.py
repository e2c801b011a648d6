"""The demonstration behind `python -m fx`, one module per part: digits, training, figure, report, cli."""
