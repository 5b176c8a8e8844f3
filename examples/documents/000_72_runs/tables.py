"""The tables of README.md, made from the CSV files beside it and written between their marks."""

import math
import re
import statistics
from collections.abc import Sequence

NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}

GUESSES = 8900
"""Ten classes that are equally many make 9,000 faults by guessing; from here on a row has learnt next to nothing."""

STEPS = {"mnist": 20 * 600, "cifar10": 20 * 500}
"""Steps of 20 epochs in batches of 100."""

DIVIDED_BY = {"mnist": 1, "cifar10": 100}
"""What α is divided by: the size of the batch for CIFAR-10."""

Cells = dict[str, str]


def sections(tables: dict[str, Sequence[Cells]]) -> dict[str, str]:
    """Return what stands between the marks of README.md, by their names, as far as there are tables to make it from."""
    rows = tables["results"]
    written = {"summary": summary(rows), "differing": differing(rows), "unstable": unstable(rows)}
    written |= {name: all_rows(of(rows, name)) for name in NAMES} | {"penalty": penalty(rows)}
    if "practice" in tables:
        written["practice"] = practice(tables["practice"], rows)
    if "first_layer" in tables:
        written["first_layer"] = first_layer(tables["first_layer"])
    if "edge" in tables:
        written["edge"] = edge(tables["edge"])
    return written


def fill(readme: str, written: dict[str, str]) -> str:
    """Return the text with each section between its marks put in; raises ValueError if a mark is missing."""
    for name, text in written.items():
        begin, end = f"<!-- {name}, written by compare.py -->\n", f"<!-- end of {name} -->"
        before, found, rest = readme.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"README.md has no marks for {name}")
        readme = f"{before}{begin}{text}{end}{after}"
    return readme


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    written = [f"| {' | '.join(cells)} |\n" for cells in (heads, *lines)]
    written.insert(1, f"|{'---|' * len(heads)}\n")
    return "".join(written)


# ----- Rows -----


def of(rows: Sequence[Cells], dataset: str) -> list[Cells]:
    return [row for row in rows if row["dataset"] == dataset]


def judged_as(rows: Sequence[Cells], *verdicts: str) -> list[Cells]:
    return [row for row in rows if row["verdict"] in verdicts]


def seeds_of(row: Cells) -> list[str]:
    """Return the faults of each seed, as a figure, "diverged", "failed" or nothing."""
    return [cell for name, cell in row.items() if re.fullmatch(r"faults_\d+", name)]


def figures_of(row: Cells) -> list[int]:
    return [int(cell) for cell in seeds_of(row) if cell.isdigit()]


def name_of(row: Cells) -> list[str]:
    return [row["activation"], row["hidden_units"], row["learning_rate"], row["l2"]]


def percent(text: str) -> str:
    return f"{100 * float(text):.1f} %" if text else ""


def rounded(text: str) -> str:
    return f"{float(text):,.0f}" if text else ""


def short(text: str) -> str:
    """Return three digits, or all of a large figure."""
    return f"{float(text):.3g}" if float(text) < 1000 else f"{float(text):,.0f}"


def in_a_line(row: Cells) -> str:
    return ", ".join(cell or "–" for cell in seeds_of(row))


# ----- Sections -----


def summary(rows: Sequence[Cells]) -> str:
    """Count what is stable and what agrees, and say what is not there yet."""
    text = ""
    runs = [cell for row in rows for cell in seeds_of(row)]
    ended = sum(cell.isdigit() for cell in runs)
    if ended < len(runs):
        text += f"**{ended} of {len(runs)} runs have ended well**; {runs.count('diverged')} diverged, "
        text += f"{runs.count('failed')} failed, {runs.count('')} have not ended. "
        text += f"{len(judged_as(rows, 'unfinished'))} rows have no verdict.\n\n"
    learning = [row for row in rows if row["faults_mean"] and float(row["faults_mean"]) < GUESSES]
    groups = {**{name: of(rows, dataset) for dataset, name in NAMES.items()}, "both": list(rows)}
    groups["both, without rows that only guess"] = learning
    lines = []
    for name, group in groups.items():
        stable, agrees = judged_as(group, "agrees", "differs"), judged_as(group, "agrees")
        part = f"{100 * len(agrees) / len(stable):.0f} %" if stable else ""
        away = [100 * abs(float(row["ratio"]) - 1) for row in stable]
        middle = f"{statistics.median(away):.1f} %" if away else ""
        lines.append([name, *(str(len(some)) for some in (group, stable, agrees)), part, middle])
    heads = ["data", "rows", "stable", "agree", "of the stable", "a stable row's faults are off by (median)"]
    return text + table(heads, lines)


def differing(rows: Sequence[Cells]) -> str:
    """List the stable rows that do not agree."""
    lines = []
    for row in judged_as(rows, "differs"):
        theirs, seeds = int(row["their_faults"]), figures_of(row)
        side = "above" if max(seeds) < theirs else "below" if min(seeds) > theirs else "within"
        more = 100 * (float(row["ratio"]) - 1)
        loss = 100 * (float(row["loss_mean"]) / float(row["their_loss"]) - 1)
        told = f"{more:+.0f} % faults, {loss:+.0f} % loss; theirs lies {side} our three seeds".replace("-", "−")
        lines.append([NAMES[row["dataset"]], *name_of(row), f"{theirs:,}", in_a_line(row), told])
    heads = ["data", "activation", "hidden", "α", "λ", "their faults", "our faults, seed by seed", "what differs"]
    jumping = sum(line[0] == NAMES["mnist"] and line[3] == "0.01" for line in lines)
    where = f"\n{jumping} of these {len(lines)} are of MNIST at α = 0.01; why they may differ, see below.\n"
    return table(heads, lines) + where if lines else "None.\n"


def unstable(rows: Sequence[Cells]) -> str:
    """List the rows that are not stable, the widest spread first."""
    found = judged_as(rows, "unstable", "diverged")
    lines = [
        [NAMES[row["dataset"]], *name_of(row), rounded(row["their_faults"]), in_a_line(row), percent(row["spread"])]
        for row in sorted(found, key=lambda row: -float(row["spread"] or math.inf))
    ]
    heads = ["data", "activation", "hidden", "α", "λ", "their faults", "our faults, seed by seed", "spread"]
    return table(heads, lines) if lines else "None.\n"


def all_rows(rows: Sequence[Cells]) -> str:
    """List theirs and ours, row by row."""
    lines = [
        [
            *name_of(row),
            rounded(row["their_faults"]),
            in_a_line(row),
            rounded(row["faults_mean"]),
            percent(row["spread"]),
            f"{float(row['ratio']):.2f}" if row["ratio"] else "",
            f"{float(row['their_loss']):.4f}",
            f"{float(row['loss_mean']):.4f}" if row["loss_mean"] else "",
            row["verdict"],
        ]
        for row in rows
    ]
    heads = ["activation", "hidden", "α", "λ", "their faults", "our faults, seed by seed", "mean", "spread"]
    return table([*heads, "ours/theirs", "their loss", "our loss", "verdict"], lines)


def penalty(rows: Sequence[Cells]) -> str:
    """Hold the two penalties side by side: the middle of the three widths."""
    lines = []
    for dataset, name in NAMES.items():
        for rate in ("0.01", "0.001"):
            for activation in ("softplus", "tanh", "cos"):
                cells = [name, activation, rate]
                group = [row for row in of(rows, dataset) if [row["activation"], row["learning_rate"]] == cells[1:]]
                for l2 in ("0.01", "0.1"):
                    left = (1 - float(rate) / DIVIDED_BY[dataset] * float(l2)) ** STEPS[dataset]
                    cells.append(f"{100 * left:.0f} %" if left > 0.01 else f"{100 * left:.4f} %")
                for column in ("their_faults", "faults_mean"):
                    for l2 in ("0.01", "0.1"):
                        found = [float(row[column]) for row in group if row["l2"] == l2 and row[column]]
                        cells.append(f"{statistics.median(found):,.0f}" if found else "")
                lines.append(cells)
    heads = ["left at λ = 0.01", "at 0.1", "theirs at λ = 0.01", "at 0.1", "ours at λ = 0.01", "at 0.1"]
    return table(["data", "activation", "α", *heads], lines)


def practice(rows: Sequence[Cells], results: Sequence[Cells]) -> str:
    """Hold the practice runs against the best rows of the 72."""
    lines = []
    for row in rows:
        of_data = of(results, row["dataset"])
        theirs = min(int(other["their_faults"]) for other in of_data)
        ours = [float(other["faults_mean"]) for other in of_data if other["faults_mean"]]
        mean = row["faults_mean"]
        lines.append(
            [
                NAMES[row["dataset"]],
                f"{theirs:,}",
                f"{min(ours):,.0f}" if ours else "",
                in_a_line(row),
                rounded(mean),
                f"{100 - float(mean) / 100:.2f} %" if mean else "",
            ]
        )
    heads = ["data", "their best row", "our best row, mean", "practice, seed by seed", "mean", "accuracy"]
    return table(heads, lines)


def first_layer(rows: Sequence[Cells]) -> str:
    """List how far the hidden units are driven."""
    lines = [
        [NAMES[row["dataset"]], row["activation"], row["learning_rate"]]
        + [
            cell
            for when in ("before", "after")
            for cell in (
                short(row[f"spread_of_a_{when}"]),
                f"{100 * float(row[f'flat_{when}']):.0f} %",
                row[f"units_flat_everywhere_{when}"],
            )
        ]
        + [f"{100 * float(row['largest_share_of_one_class']):.0f} %"]
        for row in rows
    ]
    heads = ["a before", "flat", "units", "a after", "flat", "units", "one class takes"]
    return table(["data", "activation", "α", *heads], lines)


def edge(rows: Sequence[Cells]) -> str:
    """List the curvatures beside the edge, and the faults of a network that is trained on."""
    lines = [
        [
            row["activation"],
            row["learning_rate"],
            row["l2"],
            rounded(row["edge"]),
            rounded(row["curvature_median"]),
            rounded(row["curvature_largest"]),
            f"{row['batches_beyond']} of {row['batches']}",
            f"{row['faults_least']} … {row['faults_most']}",
        ]
        for row in rows
    ]
    heads = ["activation", "α", "λ", "edge 2/α", "curvature, median", "largest", "beyond the edge"]
    return table([*heads, "faults after each of 50 more steps"], lines)
