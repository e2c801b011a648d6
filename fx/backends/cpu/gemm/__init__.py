"""Sums of products: the packed, blocked matrix product, kernels for small shapes, and plain loops for the rest."""
