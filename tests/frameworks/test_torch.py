"""PyTorch modules as engines: what they take and give, what they may be, how they are called."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.errors import EngineBuildError, UsageError
from pytest_infer.on_gpu import active

pytest.importorskip("torch", reason="the torch backend's extra")

import torch
from torch import nn

from pytest_infer.engines.torch.engine import Conditions
from tests.frameworks.conftest import THREADS
from tests.frameworks.modules import Failing, Looking, Scaled, Silent, small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.target import InferEngine

    Opened = Callable[..., InferEngine]

X = np.random.default_rng(0).standard_normal((4, 3), np.float32)
PICTURES = np.random.default_rng(0).standard_normal((2, 3, 8, 8), np.float32)
IDS = np.array([1, 2])
ROWS = np.ones((2, 4), np.float32)


def linear() -> Any:
    """A product, of weights that PyTorch draws."""
    return nn.Linear(3, 2)


def product(module: Any, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What a linear module computes, by numpy."""
    result: np.ndarray[Any, Any] = x @ module.weight.detach().numpy().T + module.bias.detach().numpy()
    return result


def test_results(opened: Opened) -> None:
    """An engine gives what the module computes, as arrays."""
    module = linear()
    engine = opened("torch", module, inputs=X)
    np.testing.assert_allclose(engine(X), product(module, X), rtol=1e-5, atol=1e-6)
    assert [(spec.name, spec.dtype, spec.shape) for spec in engine.inputs] == [("input", "float32", (4, 3))]
    assert engine.outputs == ("output",)
    assert engine.facts["threads"] == THREADS


def test_smaller_batches(opened: Opened) -> None:
    """A call may bring fewer samples than the engine was made for."""
    module = linear()
    engine = opened("torch", module, inputs=X[:1], batch=8)
    np.testing.assert_allclose(engine(X), product(module, X), rtol=1e-5, atol=1e-6)


def test_evaluation_mode(opened: Opened) -> None:
    """Nothing is dropped out, no statistics are gathered, no gradients are kept."""
    module = small()
    before = module[1].running_mean.clone()
    engine = opened("torch", module, inputs=PICTURES)
    np.testing.assert_array_equal(engine(PICTURES), engine(PICTURES))
    assert torch.equal(module[1].running_mean, before)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_several_inputs_and_outputs(opened: Opened) -> None:
    """Inputs go in by position and by name, those with a default may be left out; outputs have the dict's names."""
    module = Scaled()
    engine = opened("torch", module, inputs={"scale": 2.0, "x": ROWS, "ids": IDS})
    assert [spec.name for spec in engine.inputs] == ["ids", "x", "scale"]
    assert engine.outputs == ("scores", "sums_0", "sums_2")
    scores, sums, totals = engine(IDS, ROWS, 2.0)
    rows = ROWS + module.words.weight.detach().numpy()[IDS]
    np.testing.assert_allclose(scores, 2 * product(module.product, rows), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sums, ROWS.sum(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(totals, scores.sum(1), rtol=1e-5, atol=1e-6)


def test_rotation(opened: Opened) -> None:
    """A measurement goes through its input sets in turn, on tensors made once."""
    run: Any = opened("torch", nn.Identity(), inputs=[X, 2 * X]).runnable()
    outputs = [run() for _ in range(3)]
    assert [float(one[0, 0] / X[0, 0]) for one in outputs] == [1, 2, 1]
    assert outputs[0].data_ptr() == outputs[2].data_ptr()


def test_arrays_that_must_not_be_written(opened: Opened) -> None:
    """They are copied; PyTorch's warning about them reaches nobody."""
    shared = np.broadcast_to(X[:1], X.shape)
    module = linear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(
            opened("torch", module, inputs=shared)(shared), product(module, shared), rtol=1e-5, atol=1e-6
        )


def test_exported_programs(opened: Opened, tmp_path: Path) -> None:
    """A program and its file declare their inputs: no example is needed, and a dynamic batch is the asked one."""
    module = Scaled().eval()
    example = (torch.tensor(IDS), torch.tensor(ROWS))
    dynamic = {0: torch.export.Dim("n")}
    exported = torch.export.export(
        module, example, {"scale": torch.tensor(1.0)}, dynamic_shapes={"ids": dynamic, "x": dynamic, "scale": None}
    )
    torch.export.save(exported, tmp_path / "scaled.pt2")
    ids, rows = np.arange(5), np.ones((5, 4), np.float32)
    expected = product(module.product, rows + module.words.weight.detach().numpy()[:5])
    for model in (exported, "scaled.pt2"):
        engine = opened("torch", model, batch=5, inputs={"ids": range(10)})
        assert [(spec.name, spec.shape) for spec in engine.inputs] == [("ids", (5,)), ("x", (5, 4)), ("scale", ())]
        np.testing.assert_allclose(engine(ids, rows, 1.0)[0], expected, rtol=1e-5, atol=1e-6)
    assert engine.model_digest
    assert engine.workload.target == "scaled.pt2"


def test_factories(opened: Opened) -> None:
    """A class or a function makes the module, with the same weights each time, and draws from nobody's random state."""
    state = torch.get_rng_state()
    first, second = (opened("torch", linear, inputs=X)(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert opened("torch", Scaled, inputs={"scale": 1.0, "x": ROWS, "ids": IDS}).workload.target.endswith(":Scaled")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (nn.Linear, "missing a required argument: 'in_features'"),
        (lambda: 3, "gave a int: backend 'torch' takes a torch.nn.Module, an ExportedProgram"),
        (object(), "object can't be the model"),
        ("weights.pth", "is a pickle: load it yourself"),
    ],
    ids=["class", "number", "object", "pickle"],
)
def test_other_objects(opened: Opened, tmp_path: Path, model: Any, told: str) -> None:
    """What is no module, and makes none, is an error that says what may be given."""
    (tmp_path / "weights.pth").write_bytes(b"\x80")
    with pytest.raises(UsageError, match=told):
        opened("torch", model, inputs=X)


def test_a_broken_file(opened: Opened, tmp_path: Path) -> None:
    """It can't be loaded, and PyTorch says why."""
    (tmp_path / "broken.pt2").write_text("this is no program")
    with pytest.raises(EngineBuildError, match=r"broken.pt2: torch.export.load can't read it: \w+"):
        opened("torch", "broken.pt2")


def test_a_module_that_fails(opened: Opened) -> None:
    """Its own error comes out."""
    with pytest.raises(ValueError, match=r"no input of shape \(4, 3\) today"):
        opened("torch", Failing(), inputs=X)


def test_a_module_that_returns_nothing(opened: Opened) -> None:
    """There is nothing to hold against a reference."""
    with pytest.raises(UsageError, match="Silent: it returns nothing"):
        opened("torch", Silent(), inputs=X)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"modes": "eager"}, r"has no option 'modes'; did you mean 'mode'\?"),
        ({"xyz": "eager"}, "has no option 'xyz'; it takes cuda_graph, dynamic, fullgraph, mode, threads"),
        ({"mode": "fast"}, "one of eager, default, reduce-overhead, max-autotune"),
        ({"threads": 0}, "a whole number of at least 1"),
        ({"mode": "default", "dynamic": 1}, "True or False"),
        ({"fullgraph": False}, "is for compiled modules"),
        ({"cuda_graph": 1}, "True or False"),
        ({"cuda_graph": True}, "the CPU has no CUDA graphs; use backend='torch:cuda'"),
        ({"cuda_graph": True, "mode": "reduce-overhead"}, "makes CUDA graphs by itself"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options(opened: Opened, options: dict[str, Any], told: str) -> None:
    """An unknown option, an impossible value, and one without effect are told."""
    with pytest.raises(UsageError, match=told):
        opened("torch", linear(), inputs=X, options=options)


def test_settings_are_put_back(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and products of float32 are the asked ones during a call, and what they were after it.

    Threads are set once a measurement: each time makes new ones, which would be measured, too.
    """
    module, made, set_threads = Looking(), list[int](), torch.set_num_threads
    threads = torch.get_num_threads()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        engine = opened("torch", module, inputs=X, options={"threads": threads + 1})

        def set_and_count(count: int) -> None:
            made.append(count)
            set_threads(count)

        monkeypatch.setattr(torch, "set_num_threads", set_and_count)
        run = engine.runnable()
        with active(run):
            run()
            run()
        assert torch.is_autocast_enabled("cpu")
    assert module.seen == {(threads + 1, True, False)}
    assert made == [threads + 1, threads]
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("fp32", ["tf32", "ieee"])
def test_switches_of_both_generations_agree(fp32: str) -> None:
    """What still reads PyTorch's elder ones (Inductor does) is told the same, not that the two disagree."""
    backends: Any = torch.backends

    def seen() -> list[Any]:
        new = [backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision]
        return [*new, backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32]

    before = seen()
    with Conditions(device="cuda", threads=1, autocast=None, fp32=fp32).settings():
        assert seen() == [fp32, fp32, fp32 == "tf32", fp32 == "tf32"]
    assert [value == "tf32" for value in seen()[:2]] == [value == "tf32" for value in before[:2]]
    assert seen()[2:] == before[2:]


def test_no_such_variant(opened: Opened) -> None:
    """There is the CPU, and CUDA."""
    with pytest.raises(UsageError, match="no backend 'torch:tpu'; there is 'torch', on the CPU, and 'torch:cuda'"):
        opened("torch:tpu", linear(), inputs=X)
