"""A function that XLA compiled, ready to run: arrays in and arrays out."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.engines.arithmetic import WIDE, kind_of, reconciled
from pytest_infer.engines.jax.launch import JaxLaunch
from pytest_infer.engines.jax.products import computed, written
from pytest_infer.engines.signature import named_outputs
from pytest_infer.engines.truth import Proof
from pytest_infer.errors import PrecisionError, PrecisionRefusedError
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_infer.engines.base import Arrays
    from pytest_infer.engines.signature import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """A function that was compiled.

    Attributes:
        name: of the function, in errors.
        precision: what it was asked to be in.
        signature: what it takes.
        compiled: calls it.
        jaxpr: what it is written as.
        device: where it computes.
        donates: whether a call takes the memory of its inputs.
    """

    name: str
    precision: Precision
    signature: Signature
    compiled: Any
    jaxpr: Any
    device: Any
    donates: bool


class JaxEngine:
    """A compiled function.

    On the CPU a measured call begins and ends with JAX's arrays (made of numpy's once, unless a call takes their
    memory); on a GPU it begins and ends on the host.
    """

    in_flight = 1

    def __init__(self, executable: Executable, outputs: tuple[str, ...]) -> None:
        """Wrap a function whose outputs have these names."""
        self.costs: Mapping[str, float] = {}
        self.inputs = executable.signature.inputs
        self.outputs = outputs
        self.facts: Mapping[str, Any] = {"device": executable.device.platform}
        self.untimed = "its calls take the memory of their inputs, so that none can be repeated" * executable.donates
        self._executable: Executable = executable

    @functools.cached_property
    def proof(self) -> Proof:
        """What XLA's program computes its products in.

        Raises:
            PrecisionRefusedError: XLA computes what is written in the asked precision in fp32 on this device.
            PrecisionError: the function is not written in it.
        """
        executable = self._executable
        asked, name = executable.precision, executable.name
        capability = getattr(executable.device, "compute_capability", None)
        products = computed(executable.compiled.as_text(), None if capability is None else float(capability))
        heavy, light = written(executable.jaxpr)
        nodes = reconciled(heavy, products, asked) or dict(light)
        if not nodes or nodes.get(asked):
            return Proof(how="optimised HLO", nodes=nodes)
        if asked != WIDE and heavy.get(asked):
            raise PrecisionRefusedError(f"{name}: XLA computes its {asked} products in {WIDE} on this device")
        told = ", ".join(f"{count} in {kind}" for kind, count in sorted(nodes.items()))
        advice = "cast inside the function, or ask for what it is in"
        if nodes.get(Precision.TF32):
            advice = "ask for tf32, or call it under jax.default_matmul_precision('highest')"
        raise PrecisionError(f"{name}: asked for {asked}, but it computes {told}, and JAX converts nothing; {advice}")

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once."""
        args, kwargs = self._executable.signature.arguments(inputs)
        return _arrays(self._executable.compiled(*args, **kwargs))

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """Make arrays of every set; each call runs the next one."""
        import jax

        run, arguments = self._executable.compiled, self._executable.signature.arguments
        on_cpu = self._executable.device.platform == "cpu"
        if on_cpu and not self._executable.donates:
            rotation = [jax.device_put(dict(one), self._executable.device) for one in rotation]
        if not on_cpu and not self._executable.donates:
            device = self._executable.device
            return JaxLaunch(
                run,
                [arguments(one) for one in rotation],
                put=lambda one: jax.device_put(one, device),
                wait=jax.block_until_ready,
                copied_out=_arrays,
            )
        following = itertools.cycle([arguments(one) for one in rotation]).__next__
        finish: Callable[[Any], object] = jax.block_until_ready if on_cpu else _arrays

        def call() -> object:
            args, kwargs = following()
            return finish(run(*args, **kwargs))

        return call

    def close(self) -> None:
        """Drop the function; twice is once."""
        vars(self).pop("_executable", None)


def _arrays(returned: Any) -> dict[str, NDArray[Any]]:
    arrays = {name: np.asarray(value) for name, value in named_outputs(returned).items()}
    return {name: _known(array) for name, array in arrays.items()}


def _known(array: NDArray[Any]) -> NDArray[Any]:
    """Types that numpy has not of itself come out as float32."""
    return array.astype(np.float32) if kind_of(array.dtype) in {"bf16", "fp8"} else array
