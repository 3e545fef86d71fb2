"""What the backend refuses, which library it finds, what a test run sees of it."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.base import BuildRequest, BuiltPlan
from pytest_infer.engines.capability import TF32_OVERRIDE
from pytest_infer.engines.tensorrt import TensorRTBackend, TensorRTRTXBackend
from pytest_infer.engines.tensorrt.library import MODULES, Library, find_library, make_logger
from pytest_infer.engines.tensorrt.timing_cache import timing_cache
from pytest_infer.errors import DeviceError, EngineBuildError, MissingDependencyError, UsageError
from pytest_infer.workload import Precision
from tests.tensorrt.conftest import gpu

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CPU = Device(slug="cpu", kind="cpu", name="a CPU")


@pytest.mark.parametrize("made", [TensorRTBackend, TensorRTRTXBackend])
def test_without_a_gpu_every_precision_is_refused(made: type[TensorRTBackend]) -> None:
    """With the way out."""
    for precision in Precision:
        assert made().refuses(precision, CPU) == "TensorRT runs on NVIDIA GPUs: choose one with --infer-gpu"


@pytest.mark.parametrize(
    ("capability", "refused"),
    [
        ("5.2", {"tf32", "fp16", "bf16", "int8", "fp8"}),
        ("6.0", {"tf32", "bf16", "int8", "fp8"}),
        ("6.1", {"tf32", "bf16", "fp8"}),
        ("7.5", {"tf32", "bf16", "fp8"}),
        ("8.0", {"fp8"}),
        ("8.6", {"fp8"}),
        ("8.9", set()),
        ("9.0", set()),
        ("12.0", set()),
        ("", set()),
    ],
)
def test_a_gpu_without_the_arithmetic_refuses_it(capability: str, refused: set[str]) -> None:
    """By its compute capability; where that is unknown TensorRT itself will say."""
    device, backend = gpu(capability), TensorRTBackend()
    reasons = {str(precision): backend.refuses(precision, device) for precision in Precision}
    assert {precision for precision, reason in reasons.items() if reason} == refused
    if "int8" in refused:
        assert reasons["int8"] == f"int8 needs compute capability 6.1 or later, this GPU has {capability}"


def test_turing_has_no_int8_in_tensorrt_rtx(backend: TensorRTRTXBackend) -> None:
    """Its support matrix begins with Ampere there."""
    assert backend.refuses(Precision.INT8, gpu("7.5")) is not None
    assert backend.refuses(Precision.FP16, gpu("7.5")) is None


@pytest.mark.parametrize("capability", ["8.9", "9.0", "10.0", "12.0", ""])
def test_tensorrt_rtx_refuses_a_gpu_that_it_is_not_made_for(
    backend: TensorRTRTXBackend, capability: str, network: Path, tmp_path: Path
) -> None:
    """By the library's own list, which this machine's builder keeps, too; the one that is for such a GPU is named.

    Hopper (9.0) and the data centre's Blackwell (10.0) are in none of NVIDIA's support matrices of TensorRT-RTX. Where
    the capability is unknown the library itself will say.
    """
    reason = backend.refuses(Precision.FP16, gpu(capability))
    if capability in {"8.9", "12.0", ""}:
        assert reason is None
        return
    assert reason is not None
    assert re.fullmatch(
        r"tensorrt-rtx [\d.]+ runs on GPUs of compute capability 7\.5, .*8\.6, 8\.9, 12\.0.*, this one has "
        rf"{re.escape(capability)}; backend='tensorrt' is for it",
        reason,
    )
    request = BuildRequest(model=network, device=gpu(), batch=1, options={"compute_capability": capability})
    with pytest.raises(UsageError, match=f"compute capability {capability} is none that it builds for: 7.5"):
        backend.build(request, tmp_path)


@pytest.mark.parametrize("made", [TensorRTBackend, TensorRTRTXBackend])
def test_there_is_no_variant(made: type[TensorRTBackend]) -> None:
    """What stands behind the colon is refused, not ignored."""
    with pytest.raises(UsageError, match=r"backend 'tensorrt.*:fast' is none"):
        made("fast")


@pytest.fixture
def unfound() -> Iterator[None]:
    """Libraries are looked for anew, and again after the test."""
    find_library.cache_clear()
    yield
    find_library.cache_clear()


@pytest.mark.usefixtures("unfound")
@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_library_is_found_under_either_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The wheels of the bindings bring a module of their own; without both, the extra is named."""
    first, second = MODULES[name]
    bindings = SimpleNamespace(ILogger=_Base, __version__="10.3", init_libnvinfer_plugins=lambda *_: True)
    monkeypatch.setitem(sys.modules, first, None)
    monkeypatch.setitem(sys.modules, second, bindings)
    assert find_library(name).version == f"{name} 10.3"
    find_library.cache_clear()
    monkeypatch.setitem(sys.modules, second, None)
    with pytest.raises(MissingDependencyError, match=rf"{first}.*pip install 'pytest-infer\[{name}\]'"):
        find_library(name)


@pytest.mark.usefixtures("unfound")
def test_a_library_that_breaks_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Installed, but its shared libraries are not there."""
    (tmp_path / "tensorrt.py").write_text('raise ImportError("libnvinfer.so.10: cannot open shared object file")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(EngineBuildError, match=r"tensorrt is installed.*libnvinfer\.so\.10"):
        find_library("tensorrt")


def test_the_package_is_imported_without_any_of_them() -> None:
    """TensorRT and CUDA are looked for when they are needed."""
    blocked = [*MODULES["tensorrt"], *MODULES["tensorrt-rtx"], "cuda", "pycuda", "pynvml", "onnx"]
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); import pytest_infer.engines.tensorrt"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plan_depends_on_library_driver_and_shapes(backend: TensorRTRTXBackend, network: Path) -> None:
    """And on nothing that merely may differ."""
    device = Device(slug="g", kind="gpu", name="G", facts={"gpu driver": "580.1", "gpu ecc": "on"})
    request = BuildRequest(model=network, device=device, batch=4, shapes={"x": (3, 8, 8)}, threads=2)
    key = dict(backend.key(request))
    assert key.pop("library").startswith("tensorrt-rtx ")
    assert key == {"driver": "580.1", "batch": 4, "shapes": {"x": [3, 8, 8]}, "options": {}}


def test_a_plan_depends_on_whether_tf32_is_forbidden(
    backend: TensorRTRTXBackend, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One environment variable forbids it to all of NVIDIA's libraries: it can't be asked for, and plans differ."""
    request = BuildRequest(model=network, device=gpu(), batch=1)
    monkeypatch.delenv(TF32_OVERRIDE, raising=False)
    allowed = backend.key(request)
    assert backend.refuses(Precision.TF32, gpu()) is None
    monkeypatch.setenv(TF32_OVERRIDE, "0")
    assert backend.key(request) != allowed
    assert backend.refuses(Precision.TF32, gpu()) == "the environment variable NVIDIA_TF32_OVERRIDE=0 forbids TF32"
    assert backend.refuses(Precision.FP32, gpu()) is None


def test_loading_needs_a_gpu(backend: TensorRTRTXBackend, network: Path, tmp_path: Path) -> None:
    """Where there is none the error says so; it is never a crash, and never another device."""
    pynvml = importlib.import_module("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        pass
    else:
        pytest.skip("this machine has a GPU")
    (tmp_path / "plan.engine").write_bytes(b"")
    plan = BuiltPlan(folder=tmp_path, facts={}, build_s=0, size_mb=0, cached=False)
    with pytest.raises((DeviceError, MissingDependencyError), match=r"CUDA can't be used here|cuda"):
        backend.load(BuildRequest(model=network, device=gpu()), plan)


def test_timings_are_kept_for_each_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next build on the same GPU begins with them; one that the library refuses is thrown away."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    given: list[bytes] = []

    class Config:
        """Of a library that times kernels; refuses what another driver wrote."""

        def create_timing_cache(self, known: bytes) -> Any:
            given.append(known)
            return SimpleNamespace(serialize=lambda: b"timed", known=known)

        def set_timing_cache(self, cache: Any, *, ignore_mismatch: bool) -> bool:
            assert not ignore_mismatch
            return bool(cache.known != b"foreign")

    trt = SimpleNamespace(__version__="10.3")
    found = Library(name="tensorrt", trt=trt, logger=None)
    for capability in ("8.6", "8.6", "8.9"):
        with timing_cache(found, Config(), gpu(capability)):
            pass
    assert given == [b"", b"timed", b""]
    (tmp_path / "pytest-infer" / "timings" / "tensorrt-10.3-gpu-8.6.cache").write_bytes(b"foreign")
    with timing_cache(found, Config(), gpu()):
        pass
    assert given[3:] == [b"foreign", b""]
    with timing_cache(found, object(), gpu()):
        pass


def test_a_library_that_can_not_start_tells_its_own_reason() -> None:
    """Its bindings raise a TypeError that says nothing; the logger knows that the driver is missing."""
    trt = SimpleNamespace(ILogger=_Base, __version__="10.3")

    def start(logger: Any) -> Any:
        logger.log(SimpleNamespace(name="ERROR"), "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    trt.Builder = start
    found = Library(name="tensorrt", trt=trt, logger=make_logger(trt))
    with found.listening() as said, pytest.raises(EngineBuildError, match="builder here:\nCUDA initialization failure"):
        found.start("Builder", said)


def test_a_logger_keeps_what_counts() -> None:
    """Errors and warnings of one step, the listing of layers; a build says tens of thousands of other things."""
    found = Library(name="tensorrt", trt=None, logger=make_logger(SimpleNamespace(ILogger=_Base)))
    with found.listening() as said:
        for severity, text in [("ERROR", "bad\n"), ("WARNING", "odd"), ("INFO", "so"), ("VERBOSE", "LayerType: x")]:
            found.logger.log(SimpleNamespace(name=severity), text)
        with found.listening() as inner:
            found.logger.log(SimpleNamespace(name="INTERNAL_ERROR"), "worse")
    assert (list(said.errors), list(said.warnings), said.listing) == (["bad"], ["odd"], "LayerType: x")
    assert inner.reason() == "worse"


@pytest.mark.usefixtures("backend")
def test_a_cpu_run_skips_with_the_reason(
    pytester: pytest.Pytester, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through pytest: the test is skipped, and nothing runs on the CPU in TensorRT's name."""
    monkeypatch.setenv("TMPDIR", str(pytester.path))  # device locks of its own: others may measure here
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.infer(model={str(network)!r}, backend="tensorrt-rtx", batch=1)
        def test_it(infer_engine):
            assert False
    """)
    result = pytester.runpytest_subprocess("-rs", "-p", "no:randomly")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*TensorRT runs on NVIDIA GPUs: choose one with --infer-gpu*"])


class _Base:
    """Of a logger."""
