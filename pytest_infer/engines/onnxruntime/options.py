"""The backend's options by name, checked as users wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.onnxruntime.providers import CPU, ON_NVIDIA, check_provider_options
from pytest_infer.engines.options import check_names
from pytest_infer.errors import UsageError
from pytest_infer.precision import CONVERSION_OPTIONS, METHODS, conversion_options

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS: Final = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disabled": "ORT_DISABLE_ALL",
}
"""How much ONNX Runtime optimises, and what it calls that."""

_CHECKS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "threads": (
        "a whole number of at least 1 is needed",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
    ),
    "calibration_method": (f"choose {', '.join(METHODS)}", lambda value: value in METHODS),
    "graph_optimization": (f"choose {', '.join(LEVELS)}", lambda value: value in LEVELS),
    "config": ("a dict of session config entries by name is needed", lambda value: isinstance(value, Mapping)),
    "provider_options": ("a dict of the provider's options by name", lambda value: isinstance(value, Mapping)),
    "allow_fallback": ("True or False is needed", lambda value: isinstance(value, bool)),
    "cuda_graph": ("True or False is needed", lambda value: isinstance(value, bool)),
}
_RESERVED_CONFIG: Final[Mapping[str, str]] = {"mlas.enable_gemm_fastmath_arm64_bfloat16": "precision"}
"""Session config entries that something else sets: no proof would see fp32 products in bf16."""
OPTIONS: Final = tuple(sorted((*_CHECKS, *CONVERSION_OPTIONS)))
"""Every option of the backend."""


def check_options(options: Mapping[str, Any], provider: str) -> None:
    """See that each option is known, and its value one that it takes.

    Raises:
        UsageError: one is not.
    """
    check_names("onnxruntime", options, OPTIONS)
    for name, value in options.items():
        if name in _CHECKS:
            wanted, fits = _CHECKS[name]
            if not fits(value):
                raise UsageError(f"options={{{name!r}: {value!r}}}: {wanted}")
    _check_config(options.get("config", {}))
    conversion_options(options)
    check_provider_options(options.get("provider_options", {}))
    if options.get("cuda_graph") and provider not in ON_NVIDIA:
        raise UsageError(f"options={{'cuda_graph': True}}: {provider} has no CUDA graphs; drop it, or use another one")
    if options.get("allow_fallback") and provider == CPU:
        raise UsageError("options={'allow_fallback': True}: the CPU provider is what others fall back to; drop it")


def _check_config(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name in _RESERVED_CONFIG:
            by = _RESERVED_CONFIG[name]
            raise UsageError(f"options={{'config': {{{name!r}: {value!r}}}}}: {by} sets that; leave it out")
