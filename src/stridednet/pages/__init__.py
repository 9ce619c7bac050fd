"""The guide and the measured claims as text for a terminal, as Markdown and as JSON."""
