"""pytest-benchmark, both ways: its fixture measures for us, and what we measure stands in its table and its files."""
