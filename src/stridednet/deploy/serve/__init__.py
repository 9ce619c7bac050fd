"""``stridednet serve``: runs behind HTTP."""
