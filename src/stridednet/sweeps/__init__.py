"""A base recipe and axes -> many trainings -> a paired comparison."""
