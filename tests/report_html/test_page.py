"""The HTML report in a real browser: what a reader does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.verdict import Outcome
from tests.report_html.reports import HOSTILE, change, family, many, measured, report, result

if TYPE_CHECKING:
    from pytest_infer.result import Result
    from tests.report_html.conftest import Opened, Reader

SLOW = result(nodeid="tests/test_net.py::test_slow[int8]", latency=2.6, outcome=Outcome.REGRESSED)
FAST = result(nodeid="tests/test_net.py::test_fast[fp32]", latency=1.5, outcome=Outcome.IMPROVED)
SAME = result(nodeid="tests/test_net.py::test_same[fp32]", latency=12.0, changes=(), history=())


@pytest.fixture
def three(opened: Reader) -> Opened:
    """A report of three measurements."""
    return opened(report(SAME, FAST, SLOW, notes=("the whole session is +3% off",)))


def test_it_needs_nothing_but_itself(opened: Reader) -> None:
    """A file from a CI artifact opens offline: with every picture drawn nothing was asked for, nothing complained."""
    page = opened(
        report(*family(), SLOW, result(nodeid="test_ab.py::test_it", changes=(AB,), rounds=ROUNDS, history=()))
    )
    for test in ("test_slow[int8]", "test_it"):
        page.row(test).click()
    for plot in page.page.locator(".picture").all():
        plot.scroll_into_view_if_needed()
        plot.locator(".main-svg").first.wait_for()
    assert page.pictures().count() == 9  # five of the family, two of the one test, two of the other
    assert page.requests == []
    assert page.complaints == []


AB = change(2.1, against="other", other="main", runs=12, sessions=1)
ROUNDS = {"latency": (0.05, 0.04, 0.06, -0.01)}


def test_the_first_look_tells_the_result(three: Opened) -> None:
    """How many fail, on what, the notes, each outcome with its count, and failures first."""
    page = three.page
    assert page.get_by_role("heading", level=1).inner_text() == "✗ 1 of 3 measurements fails"
    assert page.title() == "pytest-infer: 1 of 3 measurements fails"
    header = page.locator("header").inner_text()
    assert "CPU X (cpu-x-4c)" in header
    assert "the whole session is +3% off" in header
    chips = [
        chip.inner_text().split() for chip in page.get_by_role("group", name="Show only").get_by_role("button").all()
    ]
    assert chips == [["✗", "failing", "1"], ["▼", "regressed", "1"], ["▲", "improved", "1"], ["✓", "passed", "1"]]
    assert three.rows() == ["test_slow[int8]", "test_fast[fp32]", "test_same[fp32]"]


def test_columns_sort(three: Opened) -> None:
    """By number or by text, either way; what has no figure comes last both times; the header says which and how."""
    header = three.page.get_by_role("columnheader", name="p50")
    assert header.get_attribute("aria-sort") == "none"
    header.get_by_role("button").click()
    assert three.rows() == ["test_fast[fp32]", "test_slow[int8]", "test_same[fp32]"]
    assert header.get_attribute("aria-sort") == "ascending"
    header.get_by_role("button").click()
    assert three.rows() == ["test_same[fp32]", "test_slow[int8]", "test_fast[fp32]"]
    assert header.get_attribute("aria-sort") == "descending"
    by_change = three.page.get_by_role("columnheader", name="Change")
    by_change.get_by_role("button").click()
    assert three.rows() == ["test_fast[fp32]", "test_slow[int8]", "test_same[fp32]"]
    by_change.get_by_role("button").click()
    assert three.rows() == ["test_slow[int8]", "test_fast[fp32]", "test_same[fp32]"]
    assert header.get_attribute("aria-sort") == "none"
    three.page.get_by_role("columnheader", name="Test").get_by_role("button").click()
    assert three.rows() == ["test_fast[fp32]", "test_same[fp32]", "test_slow[int8]"]


def test_an_open_row_moves_with_its_test(three: Opened) -> None:
    """What was opened stays below its own row, however the table is sorted and filtered."""
    three.row("test_slow[int8]").click()
    three.page.get_by_role("columnheader", name="p50").get_by_role("button").click()
    opened = three.page.locator("#table > tbody", has=three.page.locator(".detail"))
    assert opened.count() == 1
    assert "test_slow[int8]" in opened.inner_text()
    three.page.locator("#find").fill("fast")
    assert not three.page.locator(".detail").is_visible()


def test_filters(three: Opened) -> None:
    """By outcomes, several of which add up; by words, all of which must be there; the count is told as it changes."""
    shown = three.page.get_by_role("status")
    assert shown.inner_text() == "3 shown"
    chip = three.page.get_by_role("button", name="improved")
    chip.click()
    assert three.rows() == ["test_fast[fp32]"]
    assert chip.get_attribute("aria-pressed") == "true"
    assert shown.inner_text() == "1 of 3 shown"
    three.page.get_by_role("button", name="failing").click()
    assert three.rows() == ["test_slow[int8]", "test_fast[fp32]"]
    find = three.page.get_by_label("Find")
    find.fill("INT8 slow")
    assert three.rows() == ["test_slow[int8]"]
    find.fill("slow fp32")
    assert three.rows() == []
    assert three.page.get_by_text("No measurement matches").is_visible()
    three.page.get_by_role("button", name="Clear filters").click()
    assert len(three.rows()) == 3
    assert not three.page.get_by_role("button", name="Clear filters").is_visible()


def test_devices_are_a_filter_where_there_are_several(opened: Reader, three: Opened) -> None:
    """One device needs neither a column nor a filter."""
    assert three.page.get_by_label("Device").count() == 0
    both = (result(measurement={"device": slug}, nodeid=f"test_it.py::test_{slug}") for slug in ("gpu-a", "gpu-b"))
    page = opened(report(*both))
    page.page.get_by_label("Device").select_option("gpu-b")
    assert page.rows() == ["test_gpu-b"]


def test_the_keyboard_is_enough(three: Opened) -> None:
    """From the top: Tab reaches the theme, chips, filter, headers and rows; Enter and Space do what a click does."""
    page = three.page
    reached = []
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.id").split("\n")[-1])
        if "test_slow" in reached[-1]:
            break
    assert reached[0] == "Dark"
    assert "find" in reached
    assert any(text.startswith("Change") for text in reached)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    button = three.row("test_slow[int8]")
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert page.get_by_text("because of regressed").is_visible()
    page.keyboard.press("Space")
    assert button.get_attribute("aria-expanded") == "false"
    assert not page.get_by_text("because of regressed").is_visible()


def test_a_row_opens_to_all_there_is_to_know(opened: Reader) -> None:
    """Reasons, what differs, both pictures with their meaning in words, percentiles, accuracy, facts, the workload."""
    slow = result(
        latency=2.6,
        outcome=Outcome.REGRESSED,
        reasons=("latency 2.6 ms is 30.0% worse",),
        differs=("numpy: 2.0 → 2.1",),
    )
    page = opened(report(slow))
    assert page.page.locator(".detail").count() == 0
    page.row("test_net[int8-b8]").click()
    detail = page.page.locator(".detail")
    text = readable(detail.inner_text())
    for told in (
        *("latency 2.6 ms is 30.0% worse", "Differs from the baseline's recording", "numpy: 2.0 → 2.1"),
        *("Distribution of latency", "History of latency", "Latency by percentile, 700 samples"),
        *("the baseline: 2 ms, 15 runs in 3 session(s)", "0.9991", "held against fp32 on 8 samples", "net.onnx"),
        *("CPUExecutionProvider", '{"int8": 12, "fp32": 1}', "+30.0%", "[+29.0%, +31.2%]"),
    ):
        assert told in text
    words = [str(image.get_attribute("aria-label")) for image in detail.locator(".picture").all()]
    assert "15 accepted runs" in words[0]
    assert "Change +30.0% [+29.0%, +31.2%], tolerance 2.0%" in words[1]
    page.pictures(".detail").nth(1).wait_for()
    legend = detail.locator(".picture").nth(1).inner_text()
    assert "tolerance of 2.0%" in legend
    assert "detectable +1.5%" in legend


def readable(text: str) -> str:
    """What is read, wherever it may break."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_pictures_wait_until_they_are_seen(three: Opened) -> None:
    """Several megabytes of library are read only when the first picture comes into view."""
    assert three.page.evaluate("typeof Plotly") == "undefined"
    three.row("test_slow[int8]").click()
    three.pictures().first.wait_for()
    assert three.page.evaluate("typeof Plotly") == "object"


@pytest.mark.parametrize("system", ["light", "dark"])
def test_light_and_dark(opened: Reader, system: str) -> None:
    """The system's wish first, the reader's own from then on, in pictures too; it is remembered."""
    page = opened(report(SLOW), color_scheme=system)
    page.row("test_slow[int8]").click()
    page.pictures().first.wait_for()

    def seen() -> tuple[str, str]:
        return (
            page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor"),
            page.page.evaluate("document.querySelector('.picture text').style.fill"),
        )

    first, switch = seen(), page.page.get_by_role("button", name="Dark")
    assert switch.get_attribute("aria-pressed") == str(system == "dark").lower()
    switch.click()
    page.page.wait_for_function(f"document.querySelector('.picture text').style.fill !== '{first[1]}'")
    second = seen()
    assert all(a != b for a, b in zip(first, second, strict=True))
    page.page.reload()
    assert seen_background(page) == second[0]


def seen_background(page: Opened) -> str:
    """The colour behind everything."""
    return str(page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def test_families_are_drawn_as_papers_do(opened: Reader) -> None:
    """Latency and throughput against batch and by precision, accuracy against latency; each series with its name."""
    page = opened(report(*family()))
    group = page.page.locator(".group")
    titles = [text.strip() for text in group.locator("figcaption").all_inner_texts()]
    assert titles == [
        "Latency against batch",
        "Throughput against batch",
        "Latency by precision",
        "Throughput by precision",
        "Top-1 accuracy against latency",
    ]
    for plot, series in zip(
        group.locator(".picture").all(), (PRECISIONS, PRECISIONS, BATCHES, BATCHES, BATCHES), strict=True
    ):
        plot.scroll_into_view_if_needed()
        plot.locator(".main-svg").first.wait_for()
        assert plot.locator(".legendtext").all_text_contents() == series


PRECISIONS = ["fp32", "int8"]
BATCHES = ["batch 1", "batch 8", "batch 64"]


def test_what_others_wrote_is_only_shown(opened: Reader) -> None:
    """A node id, a reason, a difference, a figure's name or a device that holds markup is text, in pictures too."""
    workload = {"target": HOSTILE, "backend": HOSTILE, "precision": "int8", "batch": 1, HOSTILE: HOSTILE}
    hostile = [
        result(
            nodeid=f"{HOSTILE}.py::test_{HOSTILE}[{HOSTILE}-b{batch}]",
            outcome=Outcome.REGRESSED,
            reasons=(HOSTILE,),
            differs=(HOSTILE,),
            against=HOSTILE,
            changes=(change(other=HOSTILE, against="other"),),
            rounds=ROUNDS,
            measurement=vars_of(batch, workload),
        )
        for batch in (1, 2)
    ]
    page = opened(
        report(*hostile, notes=(HOSTILE,), environment={HOSTILE: HOSTILE}, device={"slug": HOSTILE, "x": HOSTILE})
    )
    page.page.locator("#table > tbody > tr > th button").first.click()
    page.pictures(".detail").first.wait_for()
    page.page.locator(".group .picture").first.scroll_into_view_if_needed()
    page.pictures(".group").first.wait_for()
    assert page.page.locator("img").count() == 0
    assert page.page.title() == "pytest-infer: 2 of 2 measurements fail"
    assert page.page.get_by_text(HOSTILE, exact=True).count() >= 5
    assert page.page.locator(".group .legendtext").all_text_contents()[0] == f"{HOSTILE}1"
    assert (page.requests, page.complaints) == ([], [])


def vars_of(batch: int, workload: dict[str, object]) -> dict[str, object]:
    """A hostile measurement's parts."""
    return {
        "name": HOSTILE,
        "workload": {**workload, "batch": batch, "backend": f"{HOSTILE}{batch}"},
        "facts": {HOSTILE: [HOSTILE]},
        "accuracy": {HOSTILE: 1.0},
        "accuracy_notes": (HOSTILE,),
        "device": HOSTILE,
    }


def test_a_script_that_came_in_would_not_run(three: Opened) -> None:
    """Behind the escaping stands the page's own policy: no script but its own two, and nothing loaded from anywhere."""
    three.page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "document.title = 'taken'";
        document.body.append(script);
    }""")
    assert three.page.title().startswith("pytest-infer: 1 of 3")
    assert "Content Security Policy" in three.complaints[0]


@pytest.mark.parametrize("width", [400, 320])
def test_a_phone_shows_all_without_scrolling_sideways(opened: Reader, width: int) -> None:
    """The columns that matter, and whatever is opened, fit."""
    page = opened(
        report(SLOW, result(nodeid=f"{'long/' * 30}test_it.py::test_{'long_' * 30}"), *family()),
        viewport={"width": width, "height": 800},
    )
    page.row("test_slow[int8]").click()
    page.pictures(".detail").first.wait_for()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.page.get_by_role("cell", name="+30.0%").first.is_visible()
    assert page.page.get_by_role("columnheader", name="p50").locator("small").is_visible(), "its unit"


def test_a_thousand_measurements(opened: Reader) -> None:
    """All are in the table, found and sorted; nothing is built or drawn before somebody looks."""
    page = opened(many(1000))
    assert page.page.get_by_role("status").inner_text() == "1000 shown"
    assert page.page.locator(".detail").count() == page.pictures().count() == 0
    page.page.get_by_label("Find").fill("test_49 int8 b16")
    assert page.rows() == ["test_49[int8-b16]"]
    page.row("test_49[int8-b16]").click()
    page.pictures(".detail").first.wait_for()
    assert page.complaints == []


def test_a_run_that_measured_nothing(opened: Reader) -> None:
    """The page says so instead of an empty table."""
    page = opened(report())
    assert page.page.get_by_role("heading", level=1).inner_text() == "✓ Nothing was measured"
    assert "@pytest.mark.infer" in page.page.locator("main").inner_text()
    assert page.complaints == []


def test_without_javascript_the_table_stands(opened: Reader) -> None:
    """Some viewers of artifacts run no scripts: the result and each measurement are there, with a word on the rest."""
    page = opened(report(SLOW, measureless()), java_script_enabled=False)
    assert "need JavaScript" in page.page.locator("header").inner_text()
    assert page.page.get_by_text("test_slow[int8]").is_visible()


def measureless() -> Result:
    """A measurement without samples or latency."""
    return result(
        nodeid="test_it.py::test_size",
        changes=(),
        history=(),
        measurement={"samples": None, "metrics": {"engine_size": 4.0}, "intervals": {}},
    )


def test_a_measurement_without_latency_opens_too(opened: Reader) -> None:
    """What is not there is left out: no picture, and the figures that there are."""
    page = opened(report(measureless()))
    page.row("test_size").click()
    assert "4 MB" in readable(page.page.locator(".detail").inner_text())
    assert page.page.locator(".picture").count() == 0
    assert measured().samples is not None
