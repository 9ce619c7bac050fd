"""Kernels in C for what PyTorch does in many passes over memory, compiled at first use where there is a compiler."""
