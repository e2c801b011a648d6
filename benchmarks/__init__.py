"""`python -m benchmarks`: fx against NumPy, HIPS autograd, JAX and PyTorch, side by side in one process."""
