"""Figures of networks, of layers, and of the effect of a layer on an image."""
