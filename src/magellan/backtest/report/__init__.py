"""Report: a run, or a comparison of runs, as one HTML file that opens offline."""
