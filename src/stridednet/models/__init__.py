"""Architectures, and the building blocks for models of your own."""
