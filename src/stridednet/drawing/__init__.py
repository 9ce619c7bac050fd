"""Pictures of networks, of layers, and of what a layer does to an image."""
