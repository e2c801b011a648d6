"""The models of the learning workloads in each library, on one tree of parameters: that of fx's layers.

Channels and features are the last axis of what comes in and goes out, in PyTorch too.
"""
