"""``report.html``: a run and its evaluation as one self-contained page."""
