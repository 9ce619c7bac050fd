"""Sweeps: train variants of a base recipe with several seeds, and compare them with the base in pairs."""
