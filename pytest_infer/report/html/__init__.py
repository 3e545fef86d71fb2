"""The HTML report: one file that opens offline, made of the JSON report's structure."""
