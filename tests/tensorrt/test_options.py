"""Options by name: what is wrong is said at once, what a library lacks in its own words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.engines.base import BuildRequest
from pytest_infer.engines.tensorrt.library import Library, make_logger
from pytest_infer.engines.tensorrt.options import OPTIONS, apply_options, check_options
from pytest_infer.errors import UsageError
from pytest_infer.workload import Precision, Scenario
from tests.tensorrt.conftest import gpu

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.tensorrt import TensorRTRTXBackend


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimisation_level": 3}, "no option 'optimisation_level'; did you mean 'optimization_level'"),
        ({"xyz": 3}, "no option 'xyz'; it takes calibration_method, compute_capability, contexts, cuda_graph"),
        ({"optimization_level": 6}, "a whole number from 0 to 5"),
        ({"optimization_level": True}, "a whole number from 0 to 5"),
        ({"workspace_mb": 0}, "a positive number of MB"),
        ({"sparsity": "yes"}, "True or False"),
        ({"hardware_compatibility": "turing"}, "one of none, ampere_plus, same_compute_capability"),
        ({"compute_capability": 8.6}, "text like '8.6'"),
        ({"compute_capability": []}, "text like '8.6'"),
        ({"compute_capability": ["8.6", "ada"]}, "text like '8.6'"),
        ({"calibration_method": "guess"}, "one of minmax, entropy, percentile"),
        ({"contexts": 0}, "a whole number from 1 to 64"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_right(options: dict[str, Any], message: str) -> None:
    """Before anything is converted or built."""
    with pytest.raises(UsageError, match=message):
        check_options(options, Precision.FP16, "tensorrt")


@pytest.mark.parametrize(("precision", "tf32"), [(Precision.FP32, True), (Precision.TF32, False)])
def test_tf32_is_a_precision_of_its_own(precision: Precision, tf32: bool) -> None:  # noqa: FBT001 - a parameter
    """An option can't turn the one that was asked for into the other."""
    with pytest.raises(UsageError, match=f"contradicts precision='{precision}'"):
        check_options({"tf32": tf32}, precision, "tensorrt")
    check_options({"tf32": tf32}, Precision.INT8, "tensorrt")


def test_contexts_are_for_offline(backend: TensorRTRTXBackend, network: Path) -> None:
    """One inference at a time needs one."""
    request = BuildRequest(model=network, device=gpu(), options={"contexts": 3})
    with pytest.raises(UsageError, match="scenario='offline' only"):
        backend.key(request)
    offline = BuildRequest(model=network, device=gpu(), options={"contexts": 3}, scenario=Scenario.OFFLINE)
    assert backend.key(offline)["options"] == {}


@pytest.mark.parametrize(
    "options", [{"optimization_level": 5}, {"workspace_mb": 512}, {"sparsity": True}, {"compute_capability": "8.9"}]
)
def test_an_option_reaches_the_builder(built: Callable[..., Any], network: Path, options: dict[str, Any]) -> None:
    """It builds with it, and the engine stays what was asked."""
    assert built(network, "fp16", batch=1, options=options).share(Precision.FP16) == 1


def test_one_plan_for_several_gpus(built: Callable[..., Any], network: Path) -> None:
    """A list of compute capabilities."""
    assert built(network, batch=1, options={"compute_capability": ["8.6", "8.9", "12.0"]}).nodes


def test_a_gpu_that_it_does_not_build_for_is_named(built: Callable[..., Any], network: Path) -> None:
    """With those that it does."""
    with pytest.raises(UsageError, match=r"compute capability 9\.0 is none that it builds for: .*8\.6, 8\.9"):
        built(network, batch=1, options={"compute_capability": "9.0"})


def test_what_a_library_does_not_support_it_says_itself(built: Callable[..., Any], network: Path) -> None:
    """TensorRT-RTX has the setter, and only warns that it does nothing."""
    with pytest.raises(UsageError, match=r"'hardware_compatibility'.*tensorrt-rtx .* says: .*unsupported"):
        built(network, batch=1, options={"hardware_compatibility": "ampere_plus"})


@pytest.mark.parametrize("name", ["optimization_level", "hardware_compatibility", "compute_capability", "sparsity"])
def test_what_a_library_lacks_is_named(name: str) -> None:
    """Found by looking at it: here at one that has nothing at all."""
    values = {"optimization_level": 3, "hardware_compatibility": "none", "compute_capability": "8.6", "sparsity": True}

    class Bare:
        __slots__ = ()

    trt = SimpleNamespace(__version__="10.0", ILogger=object, BuilderFlag=Bare)
    library = Library(name="tensorrt", trt=trt, logger=make_logger(SimpleNamespace(ILogger=_Base)))
    with pytest.raises(UsageError, match=f"'{name}'.*tensorrt 10.0 has no such setting"):
        apply_options(library, Bare(), {name: values[name]}, Precision.FP32, gpu())


def test_every_option_of_the_builder_changes_the_key(backend: TensorRTRTXBackend, network: Path) -> None:
    """And those of running don't: a plan is built once for both."""
    values: dict[str, Any] = {
        "optimization_level": 3,
        "workspace_mb": 512,
        "sparsity": True,
        "tf32": True,
        "version_compatible": True,
        "refit": True,
        "hardware_compatibility": "none",
        "compute_capability": "8.6",
        "calibration_method": "entropy",
        "exclude_nodes": ["softmax"],
        "exclude_ops": ["Softmax"],
        "keep_io": False,
        "per_channel": False,
    }
    assert set(OPTIONS) - set(values) == {"timing_cache", "cuda_graph", "contexts"}
    keys = [
        str(backend.key(BuildRequest(model=network, device=gpu(), precision=Precision.FP16, options=options)))
        for options in ({}, *({name: value} for name, value in values.items()))
    ]
    assert len(set(keys)) == len(keys)


class _Base:
    """Of a logger."""
