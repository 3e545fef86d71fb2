"""One test under measurement: the engines that it opened and the measurements it made. The `infer` fixture's object."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_infer.benchmark.names import was_called
from pytest_infer.benchmark.source import from_benchmark
from pytest_infer.device.cpu import thread_count
from pytest_infer.device.out_of_memory import empty_caches
from pytest_infer.engines.open import COLD, EngineRequest, Surroundings, open_target
from pytest_infer.engines.registry import CALLABLE
from pytest_infer.engines.target import CallableTarget, InferEngine
from pytest_infer.errors import UsageError
from pytest_infer.marker import parse
from pytest_infer.measure.host_memory import PeakMemory
from pytest_infer.measuring import UNAVAILABLE, Bench, Conditions, measure_target, run_once, watched
from pytest_infer.on_gpu import telling_shortage
from pytest_infer.precision import options_in
from pytest_infer.referencing import hold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_infer.accuracy import Accuracy
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.target import Target
    from pytest_infer.marker import Request
    from pytest_infer.measurement import Measurement
    from pytest_infer.workload import Precision


class EngineInWorker:
    """The marker's engine where the test's body runs in a worker: opened here only if the user's fixtures use it."""

    def __init__(self, case: InferCase) -> None:
        """Stand for the engine of `case`."""
        self._case = case

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the engine."""
        return self._case.marker_engine()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Ask the engine."""
        return getattr(self._case.marker_engine(), name)


class InferCase:
    """Builds engines, compares and measures for one test; what it measured is judged after the test's body."""

    def __init__(self, request: Request, bench: Bench, *, test_folder: Path) -> None:
        """Serve the test that asked for `request` and lies in `test_folder`.

        Raises:
            UsageError: it asks for what this device or this version has not.
        """
        self.request = request
        self.measurements: list[Measurement] = []
        self.said: dict[str, str] = {}
        """What the test's body printed and logged in a process of its own, by stream."""
        self._bench = bench
        self._test_folder = test_folder
        self._marker_request: EngineRequest | None = None
        self._marker_target: Target | None = None
        self._open: list[Target] = []
        self._requests: dict[int, EngineRequest] = {}
        self._accuracy: dict[int, Accuracy] = {}
        self._timed: set[int] = set()
        self._conditions = Conditions()
        self._check()

    @property
    def device(self) -> Device:
        """What is measured on."""
        return self._bench.device

    @property
    def wanted(self) -> tuple[str, ...]:
        """The metrics that budgets and the gate ask for."""
        return (*self.request.gate, *(limit.name for limit in self.request.budget.cost))

    def marker_engine(self) -> Target:
        """The engine that the marker describes (the `infer_engine` fixture)."""
        r = self.request
        if r.model is None:
            raise UsageError("infer_engine needs a model: @pytest.mark.infer(model='path/to/model.onnx')")
        if self._marker_target is None:
            self._marker_target = self._opened(self._engine_request(r))
        return self._marker_target

    def engine(
        self,
        model: str | os.PathLike[str] | Callable[..., Any],
        *,
        backend: str | None = None,
        precision: str | None = None,
        batch: int | None = None,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        calibration: Any = None,
        options: Mapping[str, Any] | None = None,
    ) -> Target:
        """Build and load another engine; arguments as the marker's.

        Raises:
            UsageError, EngineBuildError, PrecisionError: as they say.
        """
        given = {"model": model, "backend": backend, "precision": precision, "batch": batch, "shapes": shapes,
                 "calibration": calibration, "options": options}  # fmt: skip
        return self._opened(self._engine_request(parse({k: v for k, v in given.items() if v is not None})))

    def measure(
        self, target: Target | Callable[..., Any], inputs: Any = None, *, scenario: str | None = None
    ) -> Measurement:
        """Measure an engine or any callable; the marker's budgets and the baselines hold for it.

        Args:
            target: what to measure.
            inputs: for an engine an array, a dict by name, or a list of either to go through in turn; for a callable a
                tuple of arguments, a dict of keyword arguments, any other single argument, or a list of such.
            scenario: how requests arrive.
        """
        wanted = self.request.scenario if scenario is None else parse({"scenario": scenario}).scenario
        if not isinstance(target, InferEngine | CallableTarget):
            if not callable(target):
                raise UsageError(f"infer.measure takes an engine or a callable, not {type(target).__name__}")
            marked = self._engine_request(self.request)
            request = replace(
                marked,
                model=target,
                backend=CALLABLE,
                precision=None,
                shapes={},
                options={key: value for key, value in marked.options.items() if key == COLD},
                calibration=None,
                scenario=wanted,
            )
            target = self._opened(request)
        elif scenario is not None and wanted is not target.workload.scenario:
            target = self._opened(replace(self._requests[id(target)], scenario=wanted))  # it is built for one
        name = "" if target is self._marker_target else target.workload.target.rpartition(":")[2]
        count = sum(m.name.partition("#")[0] == name for m in self.measurements)
        return self._measured(target, inputs, name=f"{name}#{count + 1}" if count else name)

    def accuracy(self, engine: Target, *, reference: Any = None, inputs: Any = None, labels: Any = None) -> Accuracy:
        """Hold an engine's outputs against a reference's, and against labels; the marker's budgets hold for them.

        Args:
            engine: the one under test.
            reference: a precision, a model file, a callable or another engine; by default the marker's, else fp32.
            inputs: any number of samples; by default those that the engine saw last.
            labels: one class a sample.
        """
        reference = self.request.reference if reference is None else reference
        before = len(self._open)
        found = hold(
            engine,
            reference=reference,
            inputs=inputs,
            labels=labels,
            open_engine=lambda model, precision: self._like(engine, model, precision),
        )
        if self.device.kind == "gpu":  # there is less memory than a host has, and it is measured
            self._close_down_to(before)
        self._accuracy[id(engine)] = found
        return found

    def finish(self, benchmark: Any = None, *, marked: bool = True) -> None:
        """After the body: measure the marker's engine if nothing was measured, and see that something was.

        Args:
            benchmark: pytest-benchmark's fixture, where the test has it: its rounds are the measurement.
            marked: whether the test has our marker, and so must have measured something.

        Raises:
            UsageError: nothing was measured, or not the engine whose accuracy was to be held.
        """
        called, disabled = was_called(benchmark), self._bench.settings.disabled
        if called and not disabled:
            self._take(benchmark)
        if not self.measurements and self._marker_target is not None:
            self._measured(self._marker_target, None, name="")
        if marked and not self.measurements and not (called and disabled):
            raise UsageError(
                "marked with infer, but nothing was measured: take the infer_engine fixture, or call infer.measure(...)"
            )
        budgets = self.request.budget.accuracy
        if budgets and not called and self._accuracy.keys() - self._timed:
            raise UsageError(
                f"{budgets[0].key} is held for what is measured; infer.accuracy was asked of an engine that is not: "
                "call infer.measure(engine) for it, too"
            )

    def around(self, loop: Callable[[], Any]) -> Any:
        """Run pytest-benchmark's loop as a measurement of ours: alone on the device, and watched."""
        value, self._conditions = watched(loop, self._bench)
        return value

    def close(self) -> None:
        """Give back every engine."""
        self._close_down_to(0)

    def _close_down_to(self, count: int) -> None:
        while len(self._open) > count:
            self._open.pop().close()
        if self.device.kind == "gpu":
            empty_caches()

    def _take(self, benchmark: Any) -> None:
        """Take the fixture's rounds as the measurement; accuracy holds for it as for any other."""
        target = self._marker_target
        if target is None:
            accuracy = next(iter(self._accuracy.values()), None)
        else:
            accuracy = self._accuracy.get(id(target)) or self._held(target)
        self._check_figures(accuracy)
        measurement = replace(
            from_benchmark(benchmark, self.request, self.wanted, target),
            contention=self._conditions.contention,
            disturbed=self._conditions.disturbed,
            device_state=self._conditions.device_state,
        )
        if accuracy is not None:
            measurement = replace(
                measurement,
                accuracy=accuracy.figures(),
                accuracy_notes=accuracy.notes,
                non_finite=accuracy.non_finite,
            )
        self.measurements.append(measurement)

    def _measured(self, target: Target, inputs: Any, *, name: str) -> Measurement:
        self._timed.add(id(target))
        station = self._bench.station
        accuracy = self._accuracy.get(id(target))
        if station is None or station.first:  # fresh processes of one code compute alike: once is enough
            accuracy = accuracy or self._held(target)
            self._check_figures(accuracy)
        if self._bench.settings.disabled:
            self.measurements.append(run_once(target, inputs, name=name, accuracy=accuracy))
            return self.measurements[-1]
        speedups = self.request.speedups if station is None else ()
        others = [(f"speedup_over_{precision}", self._like(target, None, precision)) for precision in speedups]
        with target.guard():
            measurement = measure_target(
                target, inputs, name=name, wanted=self.wanted, accuracy=accuracy, against=others, bench=self._bench
            )
        self.measurements.append(measurement)
        return measurement

    def _held(self, target: Target) -> Accuracy | None:
        """The accuracy that nobody asked for by name: finite always, against fp32 where the precision is another."""
        if isinstance(target, CallableTarget) and self.request.reference is None:
            return None
        return self.accuracy(target)

    def _check_figures(self, accuracy: Accuracy | None) -> None:
        """An accuracy budget that nothing was computed for would be kept in silence."""
        if accuracy is not None and accuracy.non_finite:
            return
        figures = {} if accuracy is None else accuracy.figures()
        for limit in self.request.budget.accuracy:
            if limit.name not in figures:
                raise UsageError(
                    f"{limit.key}: nothing says what {limit.name} is; it needs "
                    + (
                        "scores of shape (samples, classes), and labels or a reference: call infer.accuracy(engine, "
                        "inputs=..., labels=...) in the test's body"
                        if limit.name.startswith("top")
                        else "a reference with outputs of its own: give reference=..."
                    )
                )

    def _like(self, target: Target, model: Any, precision: Precision) -> Target:
        request = self._requests[id(target)]
        options = options_in(precision, request.options)
        model = request.model if model is None else model
        return self._opened(replace(request, model=model, precision=precision, options=options))

    def _opened(self, request: EngineRequest) -> Target:
        around = Surroundings(
            device=self._bench.device,
            backend=self._bench.backend,
            test_folder=self._test_folder,
            root=self._bench.settings.root,
            plans=self._bench.plans,
            threads=thread_count(),
            memory=_memory_growth,
            tell=self._bench.progress,
        )
        if not callable(request.model):
            self._bench.progress(f"building {request.model} {request.precision or ''}".rstrip())
        guard = partial(telling_shortage, self.device, self._bench.instruments, _named(request), request.batch)
        with self._bench.exclusive(), guard():
            if "device_memory" in self.wanted and (gpu := self._bench.instruments()) is not None:
                gpu.memory.begin()
            target = open_target(request, around)
        if self.device.kind == "gpu":
            target.guard = guard
        self._open.append(target)
        self._requests[id(target)] = request
        return target

    def _engine_request(self, r: Request) -> EngineRequest:
        asked = self._bench.settings.backend  # of files, and of objects that nobody can call: an exported program
        as_it_is = callable(r.model) or not (asked or isinstance(r.model, str | os.PathLike))
        return EngineRequest(
            model="" if r.model is None else r.model,
            backend=r.backend or (CALLABLE if as_it_is else asked or "onnxruntime"),
            precision=r.precision,
            batch=r.batch,
            shapes=r.shapes,
            options=r.options,
            inputs=r.inputs,
            calibration=r.calibration,
            scenario=r.scenario,
            fresh_build="build" in self.wanted,
        )

    def _check(self) -> None:
        for name in self.wanted:
            if name in UNAVAILABLE[self.device.kind]:
                raise UsageError(
                    f"the metric {name!r} can't be measured on a {self.device.kind.upper()} ({self.device.name})"
                )


def _named(request: EngineRequest) -> str:
    model = getattr(request.model, "__qualname__", None) or request.model
    return f"{model} {request.backend} {request.precision or ''}".rstrip()


def _memory_growth() -> Callable[[], tuple[float, float] | None]:
    memory = PeakMemory()
    memory.start()
    return memory.resident_and_peak_mb
