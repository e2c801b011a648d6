"""Native convolutions: geometry, copies with padding, register tiles, and plain loops for other numbers."""
