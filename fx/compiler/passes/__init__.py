"""Passes over Programs: each a file, each Program -> Program, linear in the number of equations."""
