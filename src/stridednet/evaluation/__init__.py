"""Metrics, figures and reports from predictions."""
