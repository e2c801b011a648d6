"""The one place that holds the version of fx."""

__version__ = "0.1.0"
