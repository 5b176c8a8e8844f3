"""Plant mistakes in many random derivations: `python -m tests.check.planting 1000 --seed 0`."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool

import numpy as np

from tests.check.planting.campaign import Figures, Said, campaign
from tests.check.planting.catalogue import CATALOGUES


def _share(said: list[Said], good: int) -> str:
    total = len(said)
    return f"{good} of {total}" + (f" ({100 * good / total:.1f} %)" if total else "")


def _table(figures: Figures) -> Iterator[str]:
    yield f"{'what was planted':<60} {'wrong':>6} {'caught':>6} {'named':>6} {'alone':>6}"
    for called in sorted({said.called for said in figures.said}):
        said = [one for one in figures.said if one.called == called]
        counts = (len(said), sum(s.caught for s in said), sum(s.named for s in said), sum(s.alone for s in said))
        yield f"{called:<60} " + " ".join(f"{count:>6}" for count in counts)
    yield ""
    yield "of these not named first"
    missed = Counter((said.called, said.mistake) for said in figures.said if not said.named)
    planted = Counter((said.called, said.mistake) for said in figures.said)
    for (called, mistake), count in sorted(missed.items()):
        yield f"{called + ': ' + mistake:<90} {count:>6} of {planted[called, mistake]}"


def _summary(figures: Figures) -> Iterator[str]:
    listed, outside = figures.listed(), figures.outside()
    yield f"wrong gradients: caught {_share(figures.said, sum(said.caught for said in figures.said))}"
    yield f"    with a slug: named first {_share(listed, sum(said.named for said in listed))}"
    yield f"    outside the list: unknown {_share(outside, sum(said.named for said in outside))}"
    yield f"    set aside: {dict(figures.set_aside)}"
    yield f"right gradients: false alarms {len(figures.alarms)}; {dict(figures.statuses)}"
    milliseconds = 1e3 * np.asarray(figures.seconds)
    yield f"a check takes {np.median(milliseconds):.1f} ms (median), {milliseconds.mean():.1f} ms (mean)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.check.planting", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=1000, help="how many networks")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first; the others follow it")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--catalogue", choices=CATALOGUES, default="whole", help="which mistakes")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    with Pool(options.processes) as pool:
        check = functools.partial(campaign, catalogue=options.catalogue)
        parts = pool.map(check, [seeds[i :: options.processes] for i in range(options.processes)])
    figures = Figures()
    for part in parts:
        figures.add(part)
    wrong = sorted((s for s in figures.said if not (s.caught and s.named)), key=lambda said: said.seed)
    lines = [*figures.alarms, *(said.story for said in wrong), *_table(figures), *_summary(figures)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 1 if figures.alarms or not all(said.caught for said in figures.said) else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
