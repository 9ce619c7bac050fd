"""A run as one file of another runtime's format, verified in that runtime."""
