"""Timing: warm-up, the sampling loop, host memory, and runs in processes of their own."""
