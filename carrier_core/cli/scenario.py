"""``carrierd scenario``: play conversations and look at the answers, measure them, and compare two runs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from carrier_core.cli import place
from carrier_core.cli.text import table, visible
from carrier_core.errors import CarrierError, ConfigError, single

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carrier_core.scenarios.comparison import Comparison
    from carrier_core.scenarios.file import ScenarioFile
    from carrier_core.scenarios.metrics import Conversation, Metrics
    from carrier_core.scenarios.runner import Result
    from carrier_core.settings import Config


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    running = actions.add_parser("run", help="play the scenarios of files, each with an empty store of its own")
    running.add_argument("files", nargs="+", metavar="FILE", help="scenario files (docs/scenarios.md)")
    running.add_argument(
        "--agent", action="append", default=[], dest="agents", metavar="AGENT",
        help="with this agent, and with every other that is given so (else the scenario's, else the first)",
    )  # fmt: skip
    running.add_argument(
        "--model", action="append", default=[], dest="models", metavar="MODEL",
        help="with this model, as provider/model, for the class large, and with every other (else the agent's own)",
    )  # fmt: skip
    running.add_argument("--score", action="store_true", help="have the judge score every reply from 1 to 5")
    running.add_argument("--repeat", type=place.count, default=1, metavar="N", help="play each so often (default: 1)")
    running.add_argument("--jobs", type=place.count, default=1, metavar="N", help="play so many at a time (default: 1)")
    running.add_argument(
        "--effects", action="store_true",
        help="let actions act outside and spend money, where the policy allows it; without it only those are performed, "
        "really and by the plugins of the configuration, that read and write the agent's own things",
    )  # fmt: skip
    running.add_argument("--keep", metavar="DIR", help="keep the stores in a new folder, for `carrierd why --state`")
    measuring = actions.add_parser("measure", help="the figures of stored turns")
    place.add_state(measuring)
    measuring.add_argument("--agent", default="", help="only turns of this agent")
    measuring.add_argument("--last", type=place.count, default=1000, metavar="N", help="the last turns (default: 1000)")
    comparing = actions.add_parser("compare", help="the figures of two runs, and which differences are more than noise")
    comparing.add_argument("first", metavar="A", help="a file that --metrics wrote")
    comparing.add_argument("second", metavar="B", help="another one")
    for each in (running, measuring):
        place.add_config(each)
        each.add_argument("--judge", default="", metavar="MODEL", help="the model that judges, as provider/model")
        each.add_argument("--metrics", metavar="FILE", help="write the figures to this file, for `scenario compare`")
    for each in (running, measuring, comparing):
        place.add_json(each)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Run, measure or compare."""
    if args.what != "compare":
        _check_writable(args.metrics)
    with single():
        return {"run": _run, "measure": _measure, "compare": _compare}[args.what](args)


def _usage(message: str, remedy: str = "") -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 64
    return error


# --- run -----------------------------------------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    import anyio

    from carrier_core.scenarios.file import ScenarioFile
    from carrier_core.scenarios.runner import Way, check_judged, plan, play_all

    files = [ScenarioFile(Path(name)) for name in dict.fromkeys(args.files)]
    if faults := [fault for file in files for fault in file.faults]:
        for fault in faults:
            print(f"carrierd: {visible(str(fault))}", file=sys.stderr)
        return ConfigError.exit_code
    config = _config(args)
    way = Way(args.judge, args.score, args.effects, _folder(args.keep))
    try:
        cases = plan(config, files, agents=args.agents, models=args.models, runs=args.repeat)
        _check_models(config, (*args.models, *_judges(args.judge, files)))
    except ConfigError:
        raise
    except CarrierError as error:
        raise _usage(error.message, error.remedy) from None
    if not cases:
        raise _usage("There is nothing to play.", "Every scenario names an agent, and --agent names only others.")
    if args.score and not _judges(args.judge, files):
        raise _usage("--score needs a judge.", "Give --judge provider/model.")
    check_judged(cases, way)
    told = _progress if sys.stderr.isatty() and not args.json else None
    results = anyio.run(lambda: play_all(config, cases, way, at_once=args.jobs, told=told))
    _show(results, as_json=args.json)
    _write(args.metrics, _metrics_of(results, _judges(args.judge, files), files))
    return 0 if all(result.ok for result in results) else 1


def _config(args: argparse.Namespace) -> Config:
    from carrier_core.logs import configure as configure_logs

    config = place.read_config(args)
    configure_logs(config.settings.log, least="error")  # what goes wrong in a turn is told with its scenario
    return config


def _folder(name: str | None) -> Path | None:
    if name is None:
        return None
    folder = Path(name)
    if folder.exists():
        raise _usage(f"{folder} is there already.", "Name a folder for --keep that is not.")
    return folder


def _judges(given: str, files: Sequence[ScenarioFile]) -> tuple[str, ...]:
    if given:
        return (given,)
    return tuple(dict.fromkeys(file.judge.model for file in files if file.judge.model))


def _check_models(config: Config, models: tuple[str, ...]) -> None:
    from carrier_core.plugins import load_plugins
    from carrier_core.scenarios.stage import check_models

    if models:
        check_models(load_plugins(config), models)


def _progress(result: Result) -> None:
    from carrier_core.scenarios.telling import row_of

    print(visible("  ".join(row_of(result)[:4])), file=sys.stderr)


def _show(results: Sequence[Result], *, as_json: bool) -> None:
    from carrier_core.scenarios.telling import HEAD, failure_of, json_of, row_of, summary_of

    if as_json:
        passed = sum(result.ok for result in results)
        told = {"v": 1, "passed": passed, "results": [json_of(result) for result in results]}
        print(json.dumps(told, ensure_ascii=False))
        return
    print("\n".join(table([row_of(result) for result in results], HEAD)))
    for result in results:
        if not result.ok:
            print("\n" + "\n".join(visible(line) for line in failure_of(result)))
    print(f"\n{summary_of(results)}")


# --- figures ---------------------------------------------------------------------------------------------------------------


def _metrics_of(results: Sequence[Result], judges: Sequence[str], files: Sequence[ScenarioFile]) -> Metrics:
    from carrier_core.scenarios.metrics import of_result

    rubrics = "\n\n".join(dict.fromkeys(file.judge.rubric for file in files))
    return _metrics([of_result(result) for result in results], ", ".join(judges), rubrics)


def _metrics(conversations: Sequence[Conversation], judge: str, rubric: str) -> Metrics:
    from carrier_core.messages import make_id
    from carrier_core.scenarios.metrics import Metrics

    return Metrics(tuple(conversations), time.time(), judge, make_id(rubric) if judge else "")


def _check_writable(name: str | None) -> None:
    """Before any model is asked: what was paid for is not to be lost at the end."""
    if name is not None and (Path(name).is_dir() or not Path(name).parent.is_dir()):
        raise _usage(
            f"The figures cannot be written to {name}.", "Name a file for --metrics, in a folder that is there."
        )


def _write(name: str | None, metrics: Metrics) -> None:
    if name is not None:
        from carrier_core.scenarios.metrics import write

        write(Path(name), metrics)


def _measure(args: argparse.Namespace) -> int:
    import anyio

    metrics = anyio.run(_measured, args)
    if not metrics.conversations:
        raise CarrierError("There is no turn to measure.", remedy="Say something first: carrierd chat -m hello.")
    _write(args.metrics, metrics)
    from carrier_core.scenarios.metrics import FIGURES, mean

    figures = {name: metrics.total(name) for name in FIGURES if metrics.total(name)[1]}
    if args.json:
        told = {name: {"value": mean(figures[name]), "samples": figures[name][1]} for name in figures}
        print(json.dumps({"v": 1, "conversations": len(metrics.conversations), "figures": told}))
    else:
        rows = [
            (name, _number(mean(figure)), str(figure[1]), FIGURES[name].meaning) for name, figure in figures.items()
        ]
        print("\n".join(table(rows, ("FIGURE", "VALUE", "SAMPLES", "MEANING"))))
    return 0


async def _measured(args: argparse.Namespace) -> Metrics:
    from functools import partial

    from carrier_core.plugins import choose_store, load_plugins
    from carrier_core.prices import Prices
    from carrier_core.scenarios.file import RUBRIC
    from carrier_core.scenarios.judge import Judge
    from carrier_core.scenarios.measuring import measure
    from carrier_core.scenarios.stage import are_priced, check_models, staged

    config = _config(args)
    if args.agent and args.agent not in config.settings.agents:
        there = ", ".join(config.settings.agents)
        raise _usage(f"There is no agent {args.agent}.", f"There are: {there}.")
    plugins = load_plugins(config)
    check_models(plugins, (args.judge,) if args.judge else ())
    store = choose_store(config, plugins)
    await store.open_read_only(place.state_of(args))
    measured = partial(
        measure,
        store,
        agent=args.agent,
        last=args.last,
        priced=partial(are_priced, Prices(config.settings.models), plugins),
    )
    try:
        if not args.judge:
            return _metrics(await measured(), "", "")
        async with staged(config, args.agent or next(iter(config.settings.agents))) as stage:
            return _metrics(await measured(judge=Judge(stage.host, args.judge)), args.judge, RUBRIC)
    finally:
        await store.close()


def _compare(args: argparse.Namespace) -> int:
    import msgspec

    from carrier_core.scenarios.comparison import compare
    from carrier_core.scenarios.metrics import read

    comparison = compare(read(Path(args.first)), read(Path(args.second)))
    if args.json:
        print(json.dumps({"v": 1, **msgspec.to_builtins(comparison)}, ensure_ascii=False))
    else:
        print("\n".join(_compared(comparison)))
    return 0


def _compared(comparison: Comparison) -> list[str]:
    first, second = comparison.conversations
    rows = [
        (
            each.figure,
            _number(each.first),
            _number(each.second),
            f"{each.change:+.4g}",
            f"{each.samples[0]}/{each.samples[1]}",
            each.verdict + ("" if each.chance is None else f" (chance {each.chance:.1%})"),
        )
        for each in comparison.differences
    ]
    shown = table(rows, ("FIGURE", "A", "B", "CHANGE", "SAMPLES", ""))
    common = f", {comparison.paired} of them common" if comparison.paired else ""
    return [*shown, "", f"{first} and {second} conversations{common}.", *comparison.notes]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
