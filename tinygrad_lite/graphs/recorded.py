"""A recorded computation as a value: what was computed from what, with names, scopes, shapes and dtypes.

    graph = tg.graph(loss)
    print(graph)                # one line per node
    graph.save("net.svg")       # the picture

Nodes stand in the order of their creation and a node's id is its position, so the same program gives the same text,
always. Edges are operands, one each: `x * x` has two. Every reader of a Graph (text, DOT, SVG) is a function of it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_lite.graphs import labels
from tinygrad_lite.graphs.formats.dot import dot_text
from tinygrad_lite.graphs.formats.saving import save
from tinygrad_lite.graphs.formats.svg import Renderer, svg_text
from tinygrad_lite.graphs.formats.trees import tree_text
from tinygrad_lite.primitives import Primitive
from tinygrad_lite.steps import Kind, Update

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_lite.graphs.costing.counting import Cost
    from tinygrad_lite.graphs.explaining.explained import Explanation
    from tinygrad_lite.graphs.pictures.views import ViewOptions


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One value of the computation: the result of an operation, a parameter, or a constant."""

    id: int
    """Its position in the graph."""
    kind: Kind
    """An operation, a parameter (a leaf that requires a gradient), an input (an argument of a traced function), state
    (any other Tensor that was there before, such as an optimizer's), or a constant (everything else)."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    """None for a Python number, which takes the dtype of what it meets."""
    scope: str = ""
    """The dotted path of the modules it belongs to, such as `layers.0`; empty at the top."""
    primitive: str | None = None
    """What computed it, None for parameters and constants."""
    name: str | None = None
    """What the user called it."""
    value: float | None = None
    """The number that a constant without axes is."""
    inputs: tuple[int, ...] = ()
    """The id of each operand, in the order of the operands."""
    settings: tuple[str, ...] = ()
    """The static arguments that change what is computed, as text: `axis=1`."""
    place: str = ""
    """Where the user's code computed it, file and line; empty unless it was traced."""
    back_through: int | None = None
    """In a backward sweep: the id of the operation that the sweep went back through when it computed this."""
    value_of: int | None = None
    """Of a parameter that was assigned to: its id, for what is computed from this leads its gradients there."""
    static: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The static arguments themselves; nodes are compared by `settings`."""
    operation: Primitive | None = field(default=None, compare=False, repr=False)
    """The entry of the tables that computed it, None for what was not computed."""
    array: Any = field(default=None, compare=False, repr=False)
    """Its values; an `Absent`, which has shape, dtype and strides only, where the tape did not keep them."""
    weak: frozenset[int] = field(default=frozenset(), compare=False, repr=False)
    """The positions of the operands without axes that count as Python numbers here: they do not widen the dtype."""
    carries: frozenset[int] = field(default=frozenset(), compare=False, repr=False)
    """The positions of the operands that a gradient flows back to: not what was detached or computed under no_grad."""
    drawn_from: np.random.Generator | None = field(default=None, compare=False, repr=False)
    """Of random numbers: a copy of their generator in the state before the draw; `static` has the generator itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "static", MappingProxyType(dict(self.static)))

    def __reduce__(self) -> tuple[Any, ...]:
        facts = (getattr(self, field.name) for field in fields(self))
        return GraphNode, tuple(dict(fact) if isinstance(fact, MappingProxyType) else fact for fact in facts)

    @property
    def values(self) -> np.ndarray | None:
        """Its values as they were recorded, read-only, None where they were not kept."""
        if not isinstance(self.array, np.ndarray):
            return None
        view = self.array.view()
        view.flags.writeable = False
        return view


class Edge(NamedTuple):
    """One operand: the node `source` is what `target` takes in this position."""

    source: int
    target: int
    position: int


@dataclass(frozen=True, repr=False)
class Graph:
    """A recorded computation: nodes in the order of their creation, and which of them are its results.

    >>> import numpy as np, tinygrad_lite as tg
    >>> from tinygrad_lite.graphs import graph
    >>> x = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    >>> print(graph(np.sum(x * x, axis=1)))
    %0 = parameter x  1×2 float64
    %1 = multiply(%0, %0)  1×2 float64
    %2 = sum(%1, axis=1)  1 float64
    """

    nodes: tuple[GraphNode, ...]
    outputs: tuple[int, ...]
    """The ids of the results."""
    updates: tuple[Update, ...] = ()
    """What the traced function assigned, and the gradients that it left."""
    cotangents: tuple[tuple[int, int], ...] = ()
    """Pairs of a value and ∂(result)/∂(that value), by id, in the order of the backward sweep."""

    @property
    def gradients(self) -> dict[int, int]:
        """∂(the result)/∂(each parameter): the id of the parameter and that of its gradient, after `backward()`."""
        starts = [i for i, (value, _) in enumerate(self.cotangents) if value in self.outputs[:1]]
        found = self.cotangents[starts[-1] :] if starts else ()
        return {value: gradient for value, gradient in found if self.nodes[value].kind == "parameter"}

    @property
    def edges(self) -> tuple[Edge, ...]:
        """One edge per operand, in the order of the nodes that take them."""
        return tuple(Edge(source, node.id, i) for node in self.nodes for i, source in enumerate(node.inputs))

    def backward(self, cotangent: ArrayLike | None = None) -> Graph:
        """Return this graph with the computation of the gradients of its result by all its parameters added to it.

        `cotangent` is ∂(what you want)/∂(the result), of the same shape; a scalar needs none. Raises GraphError unless
        there is one result, and a gradient flows from it to a parameter.

        >>> import tinygrad_lite as tg
        >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> graph = tg.graph((w * w).sum()).backward()
        >>> print(graph)
        %0 = parameter w  2 float64
        %1 = multiply(%0, %0)  2 float64
        %2 = sum(%1)  scalar float64
        %3 = constant 1.0  scalar float64
        %4 = broadcast_to(%3, shape=(2,))  2 float64
        %5 = multiply(%4, %0)  2 float64
        %6 = multiply(%4, %0)  2 float64
        %7 = add(%5, %6)  2 float64
        """
        from tinygrad_lite.graphs.backward import with_backward  # which makes graphs

        return with_backward(self, cotangent)

    # ----- Pictures -----

    def save(self, path: str | os.PathLike[str], renderer: Renderer | None = None, **view: Unpack[ViewOptions]) -> Path:
        """Write the graph to `path` in the format that its suffix names, and return the path.

        Pictures are .svg, .png, .pdf, .html and .dot, a tree for terminals is .txt; .tex is the chain rule of this
        graph as a document (`explain`), .py the computation in plain NumPy (`to_numpy`). Graphviz must be installed for
        .png and .pdf; of .svg it is an alternative to the library's own layout, `renderer="dot"`.

        `show` says what the nodes tell: any of "shape", "value", "gradient", "flops", "bytes" and "place". `heat`
        colours them by one of "value", "gradient", "flops", "bytes" and "error". `report`, what `tg.check_gradients`
        returns, marks what a handwritten derivation gets wrong. Scopes deeper than `depth` are drawn as one node;
        `fold` draws repetitions once, as ×N, by default in graphs of more than 500 nodes. `notes` are texts of your own
        beneath nodes, by their ids.

        The file appears whole or not at all. Raises ArgumentError for another suffix or option, and
        MissingDependencyError for a format that needs what is not installed.

        >>> import tempfile, tinygrad_lite as tg
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tg.graph(tg.Tensor(1.0)).save(f"{folder}/one.svg", show=("shape", "value")).name
        'one.svg'
        """
        return save(self, Path(path), renderer, **view)

    def to_svg(self, renderer: Renderer | None = None, **view: Unpack[ViewOptions]) -> str:
        """Return the picture as SVG, drawn by the library's own layout, or with `renderer="dot"` by Graphviz.

        The other options are those of `save`.

        Raises ArgumentError for another renderer, MissingDependencyError for "dot" without Graphviz.

        >>> import tinygrad_lite as tg
        >>> tg.graph(tg.Tensor(1.0)).to_svg(renderer="own")[:4]
        '<svg'
        """
        return svg_text(self, renderer, **view)

    def to_dot(self, **view: Unpack[ViewOptions]) -> str:
        """Return the picture in the DOT language of Graphviz; the options are those of `save`.

        Raises MissingDependencyError without the graphviz package.

        >>> import tinygrad_lite as tg
        >>> tg.graph(tg.Tensor(1.0)).to_dot().splitlines()[0]
        'digraph {'
        """
        return dot_text(self, **view)

    def to_text(self, **view: Unpack[ViewOptions]) -> str:
        """Return the graph as a tree for terminals, scopes for its branches; the options are those of `save`.

        >>> import tinygrad_lite as tg
        >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> print(tg.graph((w * w).sum()).to_text(), end="")
        %0 w                 parameter  2 float64
        %1 multiply(%0, %0)  2 float64
        %2 sum(%1)           scalar float64  ⇒ result
        """
        return tree_text(self, **view)

    # ----- What it says, costs and does -----

    def explain(self) -> Explanation:
        """Return the chain rule for this graph, step by step, in the order of the backward sweep.

        `print` and notebooks show it as text, and `.latex()` gives it for a document. Raises GraphError
        if there is nothing to differentiate.

        >>> import numpy as np, tinygrad_lite as tg
        >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> print(tg.graph(np.exp(w).sum()).explain())
        The computation
          %0  w            2
          %1  h₁ = e^w     2
          %2  L = Σ(h₁)    scalar
        <BLANKLINE>
        The chain rule, from L back
          ∂L/∂L = 1
        <BLANKLINE>
          through L = Σ(h₁)
            ∂L/∂h₁ = repeat(∂L/∂L)   2
        <BLANKLINE>
          through h₁ = e^w
            ∂L/∂w = ∂L/∂h₁ ⊙ h₁   2
        ...
        """
        from tinygrad_lite.graphs.explaining.deriving import explanation

        return explanation(self)

    def cost(self) -> Cost:
        """Return what each node and scope costs: FLOPs, bytes moved, parameters, and what is kept for the sweep.

        >>> import numpy as np, tinygrad_lite as tg
        >>> w = tg.Tensor(np.ones((10, 784)), requires_grad=True, name="w")
        >>> tg.graph(np.ones((100, 784)) @ w.T).cost().total.flops
        1568000
        """
        from tinygrad_lite.graphs.costing.counting import cost_of

        return cost_of(self)

    def to_numpy(self) -> str:
        """Return a Python module that computes this graph and its gradients with NumPy alone, bit for bit.

        Where there is one scalar result and no backward part yet, one is added. Raises UnsupportedError for a primitive
        of one's own without a lowering.

        >>> import numpy as np, tinygrad_lite as tg
        >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> names, graph = {}, tg.trace(lambda x: np.sum(np.sin(w * x)), np.ones(2))
        >>> exec(graph.to_numpy(), names)
        >>> names["forward_and_gradient"](**graph.arguments())
        (np.float64(1.7507684116335782), {'w': array([ 0.54030231, -0.41614684])})
        """
        from tinygrad_lite.graphs.source.writing import numpy_source

        return numpy_source(self)

    def arguments(self) -> dict[str, Any]:
        """Return the recorded values of what the function of `to_numpy` takes, by name.

        They are arrays, and copies of random generators in the state before they were drawn from.
        Raises GraphError for a graph read from a tape that did not keep them; `tg.trace` keeps all.

        >>> import numpy as np, tinygrad_lite as tg
        >>> tg.trace(np.tanh, np.ones(2)).arguments()
        {'x': array([1., 1.])}
        """
        from tinygrad_lite.graphs.source.writing import arguments_of

        return arguments_of(self)

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[GraphNode]:
        return iter(self.nodes)

    def __str__(self) -> str:
        return "\n".join(map(labels.listing, self.nodes))

    def __repr__(self) -> str:
        counts = Counter(node.kind for node in self.nodes)
        return f"<Graph: {', '.join(f'{n} {kind}' + 's' * (n != 1) for kind, n in sorted(counts.items()))}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "image/svg+xml": self.to_svg()}
