"""Finished results, told: terminal, failure messages, JUnit properties, JSON."""
