"""How many lines of code each room of the package has, docstrings, comments and blank lines not counted.

python -m benchmarks.lines_of_code
"""

import ast
import io
import pathlib
import tokenize

PACKAGE = pathlib.Path(__file__).parents[1] / "tinygrad_lite"
CORE = {
    "errors.py",
    "primitives",
    "mode.py",
    "anomaly.py",
    "tape.py",
    "tensor.py",
    "array_interface.py",
    "refusals.py",
    "functional",
    "nested.py",
    "transforms",
}
# remedies.py is no code but a table of what to write instead of NumPy's functions; it counts for the package alone
BUDGETS = {"core": 1500, "package": 6000}
UNCOUNTED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines_of_code(source: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {line for t in tokens if t.type not in UNCOUNTED for line in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def main() -> None:
    rooms: dict[str, int] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0]
        rooms[room] = rooms.get(room, 0) + lines_of_code(path.read_text(encoding="utf-8"))
    for room, count in sorted(rooms.items(), key=lambda item: -item[1]):
        print(f"{count:6,}  {room}")
    core = sum(count for room, count in rooms.items() if room in CORE)
    print(f"{core:6,}  from primitives to transforms, of a budget of about {BUDGETS['core']:,}")
    print(f"{sum(rooms.values()):6,}  the package, of a budget of about {BUDGETS['package']:,}")


if __name__ == "__main__":
    main()
