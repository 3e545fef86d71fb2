"""ONNX Runtime: its CPU provider, which is the built-in default, and any other provider by name."""

from pytest_infer.engines.onnxruntime.backend import OnnxRuntimeBackend

__all__ = ["OnnxRuntimeBackend"]
