"""Choosing among candidates by short trainings on a part of the training pictures."""
