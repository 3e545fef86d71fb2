"""JAX, on the CPU and on GPUs: functions of arrays, compiled ahead of time."""

from pytest_infer.engines.jax.backend import JaxBackend

__all__ = ["JaxBackend"]
