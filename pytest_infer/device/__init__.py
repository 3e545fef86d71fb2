"""What we ran on, and whether it was disturbed."""
