"""The statistics of the gate: arrays in, numbers out. No file, no clock, no global randomness.

The unit of replication is the process run. Everything works on `y`, the logarithm of one run's value with its sign
chosen so that larger is worse, and takes leading axes where simulations need many devices at once.
"""
