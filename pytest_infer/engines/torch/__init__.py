"""PyTorch, on the CPU and on GPUs: modules and exported programs, eager or compiled."""

from pytest_infer.engines.torch.backend import TorchBackend

__all__ = ["TorchBackend"]
