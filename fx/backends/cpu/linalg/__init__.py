"""Factorizations in native code: a library a primitive and dtype, emitted once and kept by the object cache."""
