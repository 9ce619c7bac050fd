"""The guide and the measured claims as pages: for a terminal, as Markdown and as JSON."""
