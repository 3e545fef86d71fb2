"""The backend's options by name: checked as users wrote them, then set on a builder's configuration."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.options import check_names
from pytest_infer.errors import UsageError
from pytest_infer.precision import CONVERSION_OPTIONS, METHODS, conversion_options
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.tensorrt.library import Library

_COMPATIBILITIES: Final = ("none", "ampere_plus", "same_compute_capability")
_HIGHEST_LEVEL: Final = 5  # of IBuilderConfig::setBuilderOptimizationLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """What an option takes, and what it does to a build.

    Attributes:
        wanted: the values, in words.
        fits: whether a value is one of them.
        build: sets it, given the module, the configuration and the value; None where it is not the builder's.
    """

    wanted: str
    fits: Callable[[Any], bool]
    build: Callable[[Any, Any, Any], None] | None = None


def _flag(name: str) -> _Option:
    def build(trt: Any, config: Any, value: bool) -> None:  # noqa: FBT001 - called by position only
        flag = getattr(trt.BuilderFlag, name)
        (config.set_flag if value else config.clear_flag)(flag)

    return _Option(wanted="True or False", fits=_is_bool, build=build)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_conversion(name: str, value: Any) -> bool:
    try:
        conversion_options({name: value})
    except UsageError:
        return False
    return True


def _set_level(_trt: Any, config: Any, value: int) -> None:
    config.builder_optimization_level = value


def _set_workspace(trt: Any, config: Any, value: float) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, int(value * 1e6))


def _set_compatibility(trt: Any, config: Any, value: str) -> None:
    config.hardware_compatibility_level = getattr(trt.HardwareCompatibilityLevel, value.upper())


def _set_capabilities(trt: Any, config: Any, value: str | list[str] | tuple[str, ...]) -> None:
    known = capabilities(trt)
    asked = [value] if isinstance(value, str) else value
    for one in asked:
        if one not in known:
            raise UsageError(f"compute capability {one} is none that it builds for: {', '.join(known)}")
    config.num_compute_capabilities = len(asked)
    for index, one in enumerate(asked):
        config.set_compute_capability(known[one], index)


def capabilities(trt: Any) -> dict[str, Any]:
    """The compute capabilities that a TensorRT-RTX builds for and runs on, by their number.

    Raises:
        AttributeError: this library builds for the GPU at hand alone.
    """
    members = {name[2:]: one for name, one in trt.ComputeCapability.__members__.items() if name.startswith("SM")}
    return {f"{number[:-1]}.{number[-1]}": members[number] for number in sorted(members, key=int)}


def _is_capability(value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return bool(values) and all(
        isinstance(one, str) and one.count(".") == 1 and one.replace(".", "").isdecimal() for one in values
    )


OPTIONS: Final[Mapping[str, _Option]] = {
    "optimization_level": _Option(
        wanted=f"a whole number from 0 to {_HIGHEST_LEVEL}",
        fits=lambda value: _is_whole(value, 0, _HIGHEST_LEVEL),
        build=_set_level,
    ),
    "workspace_mb": _Option(
        wanted="a positive number of MB",
        fits=lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value > 0,
        build=_set_workspace,
    ),
    "sparsity": _flag("SPARSE_WEIGHTS"),
    "tf32": _flag("TF32"),
    "version_compatible": _flag("VERSION_COMPATIBLE"),
    "refit": _flag("REFIT"),
    "hardware_compatibility": _Option(
        wanted=f"one of {', '.join(_COMPATIBILITIES)}",
        fits=lambda value: value in _COMPATIBILITIES,
        build=_set_compatibility,
    ),
    "compute_capability": _Option(
        wanted="text like '8.6', or a list of such", fits=_is_capability, build=_set_capabilities
    ),
    "timing_cache": _Option(wanted="True or False", fits=_is_bool),
    "calibration_method": _Option(wanted=f"one of {', '.join(METHODS)}", fits=lambda value: value in METHODS),
    **{
        name: _Option(
            wanted="a list of names" if name.startswith("exclude") else "True or False",
            fits=functools.partial(_is_conversion, name),
        )
        for name in CONVERSION_OPTIONS
    },
    "cuda_graph": _Option(wanted="True or False", fits=_is_bool),
    "contexts": _Option(wanted="a whole number from 1 to 64", fits=lambda value: _is_whole(value, 1, 64)),
}
"""Every option of the backend; README says what each is for."""


def check_options(options: Mapping[str, Any], precision: Precision, backend: str) -> None:
    """See that each option is known, and its value one that it takes.

    Raises:
        UsageError: one is not.
    """
    check_names(backend, options, OPTIONS)
    for name, value in options.items():
        if not OPTIONS[name].fits(value):
            raise UsageError(f"options={{{name!r}: {value!r}}}: {OPTIONS[name].wanted} is needed")
    tf32 = options.get("tf32")
    if (precision, tf32) in {(Precision.FP32, True), (Precision.TF32, False)}:
        raise UsageError(f"options={{'tf32': {tf32}}} contradicts precision={str(precision)!r}: ask for the other one")


def build_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that change the plan."""
    return {
        name: value
        for name, value in sorted(options.items())
        if OPTIONS[name].build is not None or name in {"calibration_method", *CONVERSION_OPTIONS}
    }


def apply_options(
    library: Library, config: Any, options: Mapping[str, Any], precision: Precision, device: Device
) -> None:
    """Set the options on a builder's configuration, and the two that follow from what is asked.

    TF32 is on where the precision or the option says so, else off: it is TensorRT's default, and not fp32. A library
    that builds for other GPUs than the one at hand builds for `device`, where it knows it and nobody asked otherwise.

    Raises:
        UsageError: this library lacks a setting, or says that it does not support it.
    """
    follows: dict[str, Any] = {}
    if hasattr(library.trt.BuilderFlag, "TF32"):
        follows["tf32"] = precision is Precision.TF32
    own = str(device.identity.get("compute_capability", ""))
    if hasattr(library.trt, "ComputeCapability") and own in capabilities(library.trt):
        follows["compute_capability"] = own
    for name, value in {**follows, **options}.items():
        _apply(library, config, name, value)


def _apply(library: Library, config: Any, name: str, value: Any) -> None:
    build = OPTIONS[name].build
    if build is None:
        return
    place = f"options={{{name!r}: {value!r}}}"
    with library.listening() as said:
        try:
            build(library.trt, config, value)
        except AttributeError as error:
            raise UsageError(f"{place}: {library.version} has no such setting ({error}); leave it out") from None
        except UsageError as error:
            raise UsageError(f"{place}: {library.version} says: {error}") from None
    complaints = [*said.errors, *said.warnings]
    if complaints:
        raise UsageError(f"{place}: {library.version} says: {complaints[0]}")
