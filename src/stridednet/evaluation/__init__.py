"""Predictions become numbers, figures and a report."""
