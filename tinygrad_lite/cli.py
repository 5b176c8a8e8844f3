"""The command line: `python -m tinygrad_lite COMMAND`, each command one call into the library."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from tinygrad_lite.errors import ArgumentError, TinygradLiteError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 done but something is wrong, 2 could not run.

    >>> main(["--version"])
    tinygrad_lite 0.1.0
    0
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.version:
        from tinygrad_lite import __version__

        print(f"tinygrad_lite {__version__}")
        return 0
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        return int(options.run(options))
    except BrokenPipeError:  # whoever read the output, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (TinygradLiteError, OSError) as problem:
        print(f"tinygrad_lite {options.command}: {problem}", file=sys.stderr)
        return 2
    except MemoryError as problem:
        print(f"tinygrad_lite {options.command}: not enough memory: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tinygrad_lite", description="Autodiff on NumPy that checks your gradients.")
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="train on embedded digits, check the gradients, draw the graph",
        description="Train a 784-100-10 network on the embedded MNIST subset, hold its handwritten gradients against "
        "the automatic and numeric ones, and write graph.svg, curves.png and model.safetensors.",
    )
    demo.add_argument("--epochs", type=int, default=25, help="passes over the 6,000 training images (default 25)")
    demo.add_argument("--seed", type=int, default=0, help="of initial weights and batches (default 0)")
    demo.add_argument("--out", default="demo", help="folder for the files (default ./demo)")
    demo.set_defaults(run=_demo)
    check = commands.add_parser(
        "check",
        help="audit the formulas of notes that a Python file writes down",
        description="Check every tg.Claim and tg.Derivation that FILE.py defines, and tell what is wrong with each "
        "that fails. FILE.py is executed, so check only files that you would run. Exit status: 0 if nothing "
        "fails, 1 if a claim fails, 2 if the file or a claim could not be run.",
    )
    check.add_argument("file", metavar="FILE.py", help="Python that defines claims; it is executed")
    check.add_argument("--json", action="store_true", help="print a JSON list of objects, one a claim")
    check.set_defaults(run=_check)
    graph = commands.add_parser(
        "graph",
        help="draw the computation of an experiment or of a Python function",
        description="Trace the objective that SPEC.toml declares, on the first rows of a batch, or the function NAME "
        "of FILE.py, whose arguments must all have defaults, and draw it or print it as a tree. FILE.py is executed.",
    )
    graph.add_argument("target", metavar="SPEC.toml|FILE.py:NAME", help="what to trace; NAME may be a Tensor too")
    graph.add_argument(
        "-o", "--out", metavar="FILE", help="draw to FILE.svg, .png, .pdf, .html, .dot, .txt, .tex or .py"
    )
    graph.add_argument("--backward", action="store_true", help="add the computation of the gradients")
    graph.add_argument("--values", action="store_true", help="show values on the nodes")
    graph.add_argument("--cost", action="store_true", help="show FLOPs and bytes on the nodes, and print their table")
    graph.add_argument("--depth", metavar="N", type=int, help="draw modules deeper than N as one node")
    _add_settings(graph)
    graph.set_defaults(run=_graph)
    train = commands.add_parser(
        "train",
        help="run the experiment that a TOML file declares",
        description="Train and test what SPEC.toml declares, and print the test accuracy. With --out everything is "
        "kept in a folder: the declaration, the history as CSV and JSON, checkpoints, plots, and result.json.",
    )
    _add_experiment(train)
    train.add_argument("--out", metavar="DIR", help="keep the run in this folder; without it nothing is kept")
    train.add_argument("--resume", action="store_true", help="go on with the run in DIR, or start if there is none")
    train.set_defaults(run=_train)
    sweep = commands.add_parser(
        "sweep",
        help="run an experiment for every setting of its section [sweep]",
        description="Run every combination that the section [sweep] of SPEC.toml declares, and keep each run and a "
        "table of all in DIR. Called again it goes on where it was. Exit status 1 if a run failed.",
    )
    _add_experiment(sweep)
    sweep.add_argument("--out", metavar="DIR", required=True, help="the folder of the sweep")
    sweep.add_argument("--jobs", metavar="N", type=int, help="how many processes (default: one a core)")
    sweep.set_defaults(run=_sweep)
    data = commands.add_parser(
        "data",
        help="say which data sets are there, or fetch one",
        description="Say which data sets are where, and what is missing. Nothing is fetched unless --download asks.",
    )
    data.add_argument("--data", metavar="DIR", action="append", default=[], help=_DATA_HELP)
    data.add_argument("--json", action="store_true", help="print a JSON object")
    data.add_argument(
        "--download",
        metavar="NAME",
        help="fetch mnist, cifar10 or cifar10-python into the first --data, or else into the user's cache",
    )
    data.set_defaults(run=_data)
    return parser


def _add_experiment(command: argparse.ArgumentParser) -> None:
    """Give a command the arguments that say what is run, and on which data."""
    command.add_argument("spec", metavar="SPEC.toml", help="the declaration; also .json, as runs keep it")
    _add_settings(command)


def _add_settings(command: argparse.ArgumentParser) -> None:
    """Give a command the arguments that change a declaration, and say where its data may lie."""
    command.add_argument(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help="change a setting, such as train.epochs=4 or net.activation=tanh; can be repeated",
    )
    command.add_argument("--data", metavar="DIR", action="append", default=[], help=_DATA_HELP)


_DATA_HELP = "a folder to look for data sets in, before those of TINYGRAD_LITE_DATA and the cache; can be repeated"


def _demo(options: argparse.Namespace) -> int:
    from tinygrad_lite.train.demo import run_demo

    result = run_demo(options.epochs, options.seed, options.out)
    print("Gradients by hand, automatic and numeric, on a batch of 100:")
    print(result.report)
    print(f"test accuracy: {100 * result.test_accuracy:.2f} %")
    print(f"reloaded model predicts {'the same' if result.reloaded_alike else 'OTHERWISE'}")
    for path in result.files:
        print(f"wrote {path}")
    return 0 if result.report and result.reloaded_alike else 1


def _check(options: argparse.Namespace) -> int:
    from tinygrad_lite.check.auditing import audit

    found = audit(options.file)
    print(found.to_json() if options.json else found)
    for judgement in found.judgements:
        if judgement.verdict is None:
            print(f"tinygrad_lite check: {judgement.id} {judgement.cause}", file=sys.stderr)
    return found.status


def _graph(options: argparse.Namespace) -> int:
    from tinygrad_lite.graphs.from_python import graph_in
    from tinygrad_lite.graphs.pictures.views import Shown

    if options.target.lower().endswith((".toml", ".json")):
        from tinygrad_lite.experiments import read_experiment, trace_experiment

        graph = trace_experiment(read_experiment(options.target, options.set), options.data)
    elif options.set or options.data:
        raise ArgumentError("--set and --data are for a declaration; give SPEC.toml, or change the function itself")
    else:
        graph = graph_in(options.target)
    if options.backward and not (graph.gradients or graph.updates):  # a traced training step has its own sweep
        graph = graph.backward()
    show: list[Shown] = ["shape"]
    show += ["value"] if options.values else []
    show += ["flops", "bytes"] if options.cost else []
    if options.out is None:
        print(graph.to_text(show=show, depth=options.depth), end="")
    elif options.out.lower().endswith((".py", ".tex")):  # which are no pictures
        print(f"wrote {graph.save(options.out)}")
    else:
        print(f"wrote {graph.save(options.out, show=show, depth=options.depth)}")
    if options.cost:
        print(graph.cost())
    return 0


def _train(options: argparse.Namespace) -> int:
    from tinygrad_lite.experiments import read_experiment, run_experiment

    experiment = read_experiment(options.spec, options.set)
    run = run_experiment(experiment, options.out, resume=options.resume, folders=options.data)
    if len(run.history) < experiment.train.epochs:
        print(f"stopped early, after {len(run.history)} of {experiment.train.epochs} epochs")
    if options.out is not None:
        print(f"wrote {options.out}")
    print(run.headline)
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from tinygrad_lite.experiments import read_experiment, run_sweep

    experiment = read_experiment(options.spec, options.set)
    results = run_sweep(experiment, options.out, jobs=options.jobs, folders=options.data)
    print(results.as_markdown(), end="")
    print(f"wrote {options.out}")
    return 1 if results.failed else 0


def _data(options: argparse.Namespace) -> int:
    import json

    from tinygrad_lite import data

    if options.download is not None:
        data.download(options.download, options.data[0] if options.data else None)
    found = data.found(options.data)
    print(json.dumps(found.to_dict(), indent=1) if options.json else found)
    return 0
