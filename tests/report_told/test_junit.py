"""The numbers as JUnit properties, in both of pytest's dialects and through xdist."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.report_told.conftest import TRACER, VERDICTS

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
@pytest.mark.parametrize("options", [(), ("-n2",)])
def test_properties(suite: Suite, family: str, options: tuple[str, ...]) -> None:
    """Each test has its own, once, with the unit in the name, wherever it ran and however it ended."""
    if options:
        pytest.importorskip("xdist")
    suite.conftest(TRACER)
    suite.write(VERDICTS)
    suite.run("--infer-isolate=never", "-o", f"junit_family={family}", *options)
    nodes = list(ET.parse(suite.path / "junit.xml").iter("testcase"))  # noqa: S314 - we wrote it
    assert len(nodes) == 7
    for node in nodes:
        (properties,) = node.findall("properties")
        names = [str(p.get("name")) for p in properties]
        assert len(names) == len(set(names))
        assert {"infer_outcome", "infer_device", "infer_latency_ms", "infer_throughput_samples_per_s"} <= set(names)
    results = suite.results()
    case = suite.cases()["test_slow"]
    assert case.properties["infer_outcome"] == "over_budget"
    assert float(case.properties["infer_latency_ms"]) == results["test_slow"].metrics["latency"]
    assert case.properties["infer_device"] == results["test_slow"].device
    assert {c.properties["infer_outcome"] for c in suite.cases().values()} == {"over_budget", "invalid", "no_baseline"}
