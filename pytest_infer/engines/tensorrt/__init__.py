"""TensorRT 10 and 11, and TensorRT-RTX, through the same code: what one of them lacks is found by looking."""

from pytest_infer.engines.tensorrt.backend import TensorRTBackend, TensorRTRTXBackend

__all__ = ["TensorRTBackend", "TensorRTRTXBackend"]
