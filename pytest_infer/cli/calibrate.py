"""`pytest-infer calibrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_infer.cli.options import baselines_option, json_option
from pytest_infer.cli.output import print_json
from pytest_infer.device.cpu import cpu_device

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.device.fingerprint import Device


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--runs", default=5, show_default=True, type=click.IntRange(2, 20), help="Fresh processes a test and session."
)
@click.option("--sessions", default=1, show_default=True, type=click.IntRange(1, 20), help="Recordings.")
@click.option("--pause", default=0.0, show_default=True, type=click.FloatRange(0), help="Seconds between sessions.")
@click.option("--tolerance", default=0.02, show_default=True, type=click.FloatRange(0), help="The change to be seen.")
@click.option("--alpha", default=0.001, show_default=True, type=click.FloatRange(1e-9, 0.2), help="The gate's level.")
@baselines_option
@click.option("--infer-gpu", "gpu", default="none", show_default=True, help="The GPU to study, as pytest takes it.")
@json_option
@click.argument("tests", nargs=-1, type=click.UNPROCESSED)
def calibrate(  # noqa: PLR0913 - one an option
    *,
    tests: tuple[str, ...],
    folder: Path,
    runs: int,
    sessions: int,
    pause: float,
    tolerance: float,
    alpha: float,
    gpu: str,
    as_json: bool,
) -> None:
    """Measure the same code again and again (TESTS, as pytest takes them), and keep how far this machine spreads."""
    from pytest_infer.baselines.directory import DirectoryStore
    from pytest_infer.calibrate import Study, advice, analyse, record
    from pytest_infer.stats.rule import Rule
    from pytest_infer.stats.spread import APART_S

    device = _one_device(gpu)
    chosen = () if gpu == "none" else (f"--infer-gpu={gpu}",)
    study = Study(arguments=(*tests, *chosen), runs=runs, sessions=sessions, pause_s=pause)
    entries = record(study, device, lambda text: click.echo(text, err=True))
    finding = analyse(entries, study, device, Rule(alpha=alpha, max_regression=tolerance))
    found = finding.calibration
    DirectoryStore(folder).save_calibration(device, found)
    if as_json:
        told = {"false_alarms": finding.false_alarms, "detectable": finding.detectable}
        print_json(
            {
                "device": device.slug,
                "calibration": found,
                **told,
                "tolerance": tolerance,
                "advice": advice(finding, tolerance),
            }
        )
        return
    click.echo(f"{device.slug}: {found.tests} tests, {sessions} session(s) of {runs} runs")
    apart = "" if sessions > 1 and pause >= APART_S else " (no less than declared: no sessions an hour apart)"
    click.echo(f"spread of runs in a session      {found.run_sd:7.2%}")
    click.echo(f"spread of a test over sessions   {found.session_sd:7.2%}" + apart)
    click.echo(f"spread of whole sessions         {found.common_sd:7.2%}" + apart)
    click.echo(f"false alarms of the gate a test  {finding.false_alarms:7.2%}")
    for count, detectable in finding.detectable.items():
        click.echo(f"detectable with {count} session(s)     {detectable:+8.1%}")
    click.echo(advice(finding, tolerance))


def _one_device(gpu: str) -> Device:
    if gpu == "none":
        return cpu_device()
    from pytest_infer.device.gpu import open_gpus

    device, *others = open_gpus(gpu)
    if others:
        raise click.UsageError(f"--infer-gpu={gpu}: a study is of one GPU")
    return device
