"""The training loop, its history, observers and interruption."""
