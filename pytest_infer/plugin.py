"""Every hook and fixture, a few lines each. The one module that imports pytest; nothing heavy until a test needs it."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_infer.config import (
    OPTIONS,
    SIDE_VARIABLE,
    UPDATE_FLAGS,
    WORKER_VARIABLE,
    Settings,
    UpdateFlag,
    read_settings,
)
from pytest_infer.ending import OURS, REPORTED, Ending
from pytest_infer.errors import InferError, XFailedInWorkerError, users_part
from pytest_infer.progress import Progress, outlook

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_infer.case import EngineInWorker, InferCase
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.target import Target
    from pytest_infer.measure.child import Line
    from pytest_infer.result import Result
    from pytest_infer.session import InferSession

SETTINGS = pytest.StashKey[Settings]()
SESSION: pytest.StashKey[InferSession] = pytest.StashKey()
GPUS = pytest.StashKey[tuple["Device", ...]]()
PROGRESS = pytest.StashKey[Progress]()
LINE: pytest.StashKey[Line] = pytest.StashKey()
CASE: pytest.StashKey[InferCase | None] = pytest.StashKey()
RESULTS: pytest.StashKey[tuple[Result, ...]] = pytest.StashKey()
TESTS = pytest.StashKey[int]()
SYS_PATH = pytest.StashKey[tuple[str, ...]]()
NODEID = pytest.StashKey[str]()
ANSWERED = pytest.StashKey[tuple[str, str]]()
_PARAMETER = "_infer_parameters"
_FIXTURES = {"infer", "infer_engine"}


# --- start -----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register each option on the command line and in the ini file."""
    group = parser.getgroup("infer", "inference performance regression testing")
    for option in OPTIONS:
        if option.flag:
            group.addoption(option.name, action="store_true", default=None, help=option.help)
        elif option.repeatable:
            group.addoption(option.name, action="append", default=None, metavar=option.metavar, help=option.help)
        else:
            group.addoption(option.name, default=None, metavar=option.metavar, help=option.help)
        parser.addini(option.dest, option.help, default="")
    group.addoption(
        *UPDATE_FLAGS, action=UpdateFlag, dest="infer_update_baselines", default=None,
        help="record: measure --infer-runs fresh processes a test, compare first, save last (default: append)",
    )  # fmt: skip
    parser.addini("infer_update_baselines", "append or reset", default="")
    parser.addini("infer_update_reason", "why baselines are recorded; kept in the file", default="")
    parser.addini("infer_against_links", "what a revision's work tree links from this checkout: paths", type="args")
    parser.addini("infer_session_prior", "declared spread of sessions, a fraction; calibrate replaces it", default="")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make our own hooks known."""
    from pytest_infer import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, read the settings; a worker takes its job."""
    config.addinivalue_line("markers", "infer(...): hold a network to budgets and baselines; see pytest-infer's README")
    config.stash[SYS_PATH] = tuple(sys.path)
    config.stash[PROGRESS] = Progress(config)
    _take_job(config)
    try:
        settings = read_settings(config.rootpath, config.option.__dict__.get, partial(_ini, config))
        config.stash[SETTINGS] = settings
        config.stash[GPUS] = _gpus(config)
        if settings.against:
            from pytest_infer.two_sides import TwoSides

            sides = TwoSides(settings, config.stash[SYS_PATH], config.stash[GPUS], pytest.UsageError)
            config.pluginmanager.register(sides, "infer-two-sides")
        if (settings.update and LINE not in config.stash) or settings.report or settings.backend:
            _session(config).extensions.check(settings.report, settings.backend)  # before an hour of measuring
    except InferError as error:
        raise pytest.UsageError(str(error)) from None
    if LINE not in config.stash and not hasattr(config, "workerinput"):
        ending = Ending(
            config,
            settings,
            partial(_session, config),
            used=lambda: SESSION in config.stash,
            tests=lambda: config.stash[TESTS],
            usage_error=pytest.UsageError,
            progress=config.stash[PROGRESS],
        )
        config.pluginmanager.register(ending, "infer-ending")
    if hasattr(config.option, "benchmark_disable"):
        from pytest_infer.benchmark.plugin import BesideBenchmark

        beside = BesideBenchmark(
            config,
            is_infer=_is_infer,
            case_of=lambda item: item.stash.get(CASE, None),
            disabled=settings.disabled,
            apart=LINE in config.stash or hasattr(config, "workerinput"),
            reported=REPORTED,
        )
        config.pluginmanager.register(beside, "infer-beside-benchmark")


def _take_job(config: pytest.Config) -> None:
    """Become a worker, or a side of a comparison, where this process was started as one."""
    if path := os.environ.pop(WORKER_VARIABLE, None):
        from pytest_infer.measure.child import Line, read_job
        from pytest_infer.worker_mode import bend

        job = read_job(path)
        config.args = bend(config.option, job)
        config.stash[LINE] = Line(job)
    elif path := os.environ.pop(SIDE_VARIABLE, None):
        from pytest_infer.against.station import open_station

        config.stash[LINE] = open_station(path, config)
    if LINE in config.stash:
        from pytest_infer.worker_mode import Phases

        config.pluginmanager.register(Phases(config.stash[PROGRESS].say), "infer-phases")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker how this pytest was started: its own command line is not the user's."""
    node.workerinput["infer_args"] = [str(arg) for arg in node.config.invocation_params.args]
    if node.config.stash[GPUS]:
        from pytest_infer.several_gpus import share_out

        share_out(node.workerinput, node.config.stash[GPUS])


# --- collection ------------------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize by the lists of the marker. What is wrong with it is told in the test's setup."""
    marks = [(mark.args, mark.kwargs) for mark in metafunc.definition.iter_markers("infer")]
    if not marks or any(args for args, _ in marks):
        return
    from pytest_infer.marker import cases, merged

    values, ids = cases(merged(marks))
    if values:
        metafunc.fixturenames.append(_PARAMETER)
        metafunc.parametrize(_PARAMETER, values, ids=ids, indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep its id, as baselines and workers know it: xdist adds the group's name under --dist=loadgroup."""
    item.stash[NODEID] = item.nodeid


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the gated tests: the level of each depends on it."""
    session.config.stash[TESTS] = sum(_is_infer(item) for item in session.items)


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str | None:
    """Before a recording: how long it takes at least."""
    settings, tests = config.stash[SETTINGS], sum(_is_infer(item) for item in items)
    if not settings.update or not tests:
        return None
    return f"infer: recording {outlook(tests, settings.runs, settings.time)}"


# --- one test --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check the marker; what is wrong is this test's error."""
    item.stash[RESULTS] = ()
    item.stash[CASE] = None
    if _is_infer(item):
        _case(item)


@pytest.fixture
def _infer_parameters(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def infer(request: pytest.FixtureRequest) -> Generator[InferCase, None, None]:
    """Build engines, compare and measure: `infer.engine`, `infer.measure`, `infer.accuracy`, `infer.device`."""
    case = _case(request.node)
    yield case
    case.close()


@pytest.fixture
def infer_engine(request: pytest.FixtureRequest, infer: InferCase) -> Target | EngineInWorker:
    """The engine that the marker describes, measured after the test's body passed."""
    from pytest_infer.case import EngineInWorker

    if _session(request.config).isolates(infer):
        return EngineInWorker(infer)
    try:
        return infer.marker_engine()
    except InferError as error:
        _fail(error)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Leave the body to the workers where the test runs in processes of its own."""
    case = pyfuncitem.stash.get(CASE, None)
    if case is None or not _session(pyfuncitem.config).isolates(case):
        return None
    from pytest_infer.worker_mode import run_elsewhere

    run_elsewhere(pyfuncitem.config.option)
    return True


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """After the body: measure, decide, and fail here, so that it is a failure like any other."""
    __tracebackhide__ = True
    try:
        value = yield
        if (case := item.stash.get(CASE, None)) is not None:
            _judge(item, case)
    except Exception as error:
        if isinstance(error, InferError) and error.skips:
            pytest.skip(str(error))
        error.__traceback__ = users_part(error)
        raise
    return value


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send results along with the report, as plain values: it may come from an xdist worker."""
    report = yield
    if call.when == "setup" and _is_infer(item):
        report.__dict__[OURS] = True
    if call.when == "call" and item.stash.get(RESULTS, ()):
        import msgspec

        report.__dict__[REPORTED] = [msgspec.to_builtins(result) for result in item.stash[RESULTS]]
    if LINE in item.config.stash:
        _tell_parent(item, call, report)
    return report


def _is_infer(item: pytest.Item) -> bool:
    names = item.fixturenames if isinstance(item, pytest.Function) else None  # a doctest takes no fixture of ours
    return names is not None and (item.get_closest_marker("infer") is not None or not _FIXTURES.isdisjoint(names))


def _ini(config: pytest.Config, name: str) -> Any:
    """An ini value; a worker has none of what its parent is there for."""
    if LINE in config.stash:
        from pytest_infer.worker_mode import NEUTRAL

        if name in NEUTRAL:
            return ""
    value = config.getini(name)
    return value if isinstance(value, list) else str(value)


def _session(config: pytest.Config) -> InferSession:
    if SESSION not in config.stash:
        from pytest_infer.extensions import Extensions
        from pytest_infer.measure.worker import Launch
        from pytest_infer.session import InferSession

        worker_input = getattr(config, "workerinput", {})
        has = config.pluginmanager.hasplugin
        extra = ["-o", "cache_dir={cache_dir}"] if has("cacheprovider") else []
        extra += ["--no-cov"] if has("pytest_cov") else []
        launch = Launch(
            args=(*worker_input.get("infer_args", map(str, config.invocation_params.args)), *extra),
            cwd=config.invocation_params.dir,
            sys_path=config.stash[SYS_PATH],
        )
        config.pluginmanager.load_setuptools_entrypoints("pytest_infer")
        config.stash[SESSION] = InferSession(
            config.stash[SETTINGS],
            launch,
            Extensions(config.hook),
            progress=config.stash[PROGRESS],
            in_worker=LINE in config.stash,
            gpus=config.stash[GPUS],
            multiplied=config.pluginmanager.hasplugin("infer-several-gpus"),
        )
        config.stash[SESSION].against = config.pluginmanager.getplugin("infer-two-sides")
        config.stash[SESSION].station = config.pluginmanager.getplugin("infer-station")
        config.add_cleanup(config.stash[SESSION].close)
    return config.stash[SESSION]


def _gpus(config: pytest.Config) -> tuple[Device, ...]:
    """The GPUs that this process measures on; none is the CPU."""
    settings = config.stash[SETTINGS]
    if settings.gpu == "none":
        return ()
    from pytest_infer.several_gpus import choose_gpus

    return choose_gpus(config, settings, in_worker=LINE in config.stash)


def _case(item: pytest.Item) -> InferCase:
    if (case := item.stash.get(CASE, None)) is not None:
        return case
    from pytest_infer.marker import merged, parse
    from pytest_infer.several_gpus import number_of

    parameters = getattr(item, "callspec", None)
    try:
        arguments = merged((mark.args, mark.kwargs) for mark in item.iter_markers("infer"))
        chosen = parameters.params.get(_PARAMETER, {}) if parameters is not None else {}
        session = _session(item.config)
        session.tests = item.config.stash.get(TESTS, 1)
        case = item.stash[CASE] = session.case(parse({**arguments, **chosen}), item.path, number_of(item))
    except InferError as error:
        _fail(error)
    return case


def _judge(item: pytest.Item, case: InferCase) -> None:
    """Finish the measurements of a test whose body passed, and decide."""
    from pytest_infer.report.failure import failure
    from pytest_infer.report.properties import properties
    from pytest_infer.worker_mode import repeat

    session = _session(item.config)
    try:
        if not session.isolates(case):
            benchmark = getattr(item, "funcargs", {}).get("benchmark")
            case.finish(benchmark, marked=item.get_closest_marker("infer") is not None)
        if session.in_worker:
            return
        results = session.decide(item.stash.get(NODEID, item.nodeid), item.path, case)
    except XFailedInWorkerError as error:
        raise pytest.xfail.Exception(str(error), pytrace=False) from None
    except InferError as error:
        _fail(error)
    finally:
        item.config.stash[PROGRESS].show("")
        repeat(item, case.said)
    item.stash[RESULTS] = results
    item.user_properties[:] = [pair for pair in item.user_properties if not pair[0].startswith("infer_")]
    item.user_properties += [pair for result in results for pair in properties(result)]
    mark = item.get_closest_marker("xfail")  # one with a condition is left to pytest, which knows what it says
    if mark and not (mark.args or "condition" in mark.kwargs) and any(r.outcome == "invalid" for r in results):
        pytest.xfail("not judged: the machine was disturbed")
    if failed := [result for result in results if result.failed]:
        pytest.fail("\n\n".join(failure(result, case.device) for result in failed), pytrace=False)


def _tell_parent(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """In a worker: remember what went wrong first, and answer when the test is over."""
    from pytest_infer.measure.protocol import Answer
    from pytest_infer.worker_mode import ended, said_by_body

    if call.excinfo is not None and ANSWERED not in item.stash:
        item.stash[ANSWERED] = ended(item, call.excinfo, report)
    if call.when == "teardown":
        outcome, message = item.stash.get(ANSWERED, ("passed", ""))
        case = item.stash.get(CASE, None)
        measurements = tuple(case.measurements) if case is not None and outcome == "passed" else ()
        if measurements and case is not None and (wrong := _session(item.config).wrong(case)):
            outcome, message = "inaccurate", wrong
        said = said_by_body(report.sections)
        answer = Answer(outcome=outcome, message=message, measurements=measurements, said=said)
        item.config.stash[LINE].answer(answer)


def _fail(error: InferError) -> NoReturn:
    if error.skips:
        pytest.skip(str(error))
    raise pytest.fail.Exception(str(error), pytrace=False) from None
