"""OpenVINO, on a CPU and on the other devices that it finds."""

from pytest_infer.engines.openvino.backend import OpenVinoBackend

__all__ = ["OpenVinoBackend"]
