"""The geometry of the own layout, measured."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graphs import gallery
from tests.graphs.pictured import PICTURES, with_sweep
from tinygrad_lite.graphs import graph
from tinygrad_lite.graphs.formats.strokes import item_of
from tinygrad_lite.graphs.layout.coordinates import Box, Layout, layout
from tinygrad_lite.graphs.layout.heights import ARROW
from tinygrad_lite.graphs.layout.stacking import Item
from tinygrad_lite.graphs.pictures.drawing import drawing
from tinygrad_lite.graphs.scopes import enclosing, path_to

SCOPES = ["", "a", "a.0", "a.1", "b", "a title much longer than what is in it", "b.0.deep"]
TITLE_LINE = 19.0


def title_widths(items):
    return {scope: 16.0 + 7.0 * len(scope.rpartition(".")[2]) for scope in enclosing(item.scope for item in items)}


def laid_out(items) -> Layout:
    return layout(items, title_widths(items))


def items_of(g):
    return [Item(60.0 + 8 * len(node.name or ""), 40.0, node.scope, node.inputs) for node in g.nodes]


def middle(box):
    return box.x + box.width / 2


# ----- Random items -----


@st.composite
def any_items(draw, can_rise=True):
    items: list[Item] = []
    paired = set()
    for v in range(draw(st.integers(1, 40))):
        near, far = st.integers(max(0, v - 6), max(0, v - 1)), st.integers(0, max(0, v - 1))
        inputs = draw(st.lists(near | far, max_size=4)) if v else []
        rises = can_rise and draw(st.booleans())
        beside = draw(st.none() | far) if v and rises else None
        if beside in paired:
            beside = None
        paired.add(beside)
        width, height = draw(st.floats(5.0, 200.0)), draw(st.floats(5.0, 90.0))
        items.append(Item(width, height, draw(st.sampled_from(SCOPES)), tuple(inputs), rises, beside))
    return items


@st.composite
def forward_and_backward(draw):
    """A random computation and its backward sweep, as reverse mode makes it."""
    forward = [item._replace(height=30.0) for item in draw(any_items(can_rise=False))]
    return with_backward(forward, rule_steps=draw(st.integers(0, 2)), reads_values=draw(st.booleans()))


def with_backward(forward, rule_steps=0, reads_values=True):
    items = list(forward)
    contributions: dict[int, list[int]] = {len(forward) - 1: []}

    def rise(v, inputs, beside=None):
        items.append(Item(50.0, 30.0, forward[v].scope, tuple(inputs), rises=True, beside=beside))
        return len(items) - 1

    for v in range(len(forward) - 1, -1, -1):
        if v not in contributions:
            continue
        cotangent = rise(v, contributions[v], beside=v)
        for source in forward[v].inputs:
            step = cotangent
            for _ in range(rule_steps):
                step = rise(v, [step, v] if reads_values else [step])
            contributions.setdefault(source, []).append(step)
    return items


# ----- What holds for every picture -----


def apart(a, b):
    return a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y


def holds(a, b):
    return a.x < b.x and a.y < b.y and b.x + b.width < a.x + a.width and b.y + b.height < a.y + a.height


def on_the_way(line):
    """Points along a line as it is drawn, one a row."""
    t = np.linspace(0, 1, 33)[:, None]
    return np.concatenate(
        [
            (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
            for a, b, c, d in (map(np.array, curve) for curve in line.curves())
        ]
    )


def are_inside(boxes, points, rim=0.01):
    """Whether any of the points lies in any of the boxes."""
    x, y, width, height = np.array(boxes).T
    right, down = points[:, 0, None] - x, points[:, 1, None] - y
    return np.any((rim < right) & (right < width - rim) & (rim < down) & (down < height - rim))


def assert_drawn_well(items):
    picture = laid_out(items)
    numbers = [*picture.boxes, *picture.scopes.values(), *(point for line in picture.lines for point in line.points)]
    assert all(np.isfinite(number) for tuple_of_numbers in numbers for number in tuple_of_numbers)
    page = Box(0, 0, picture.width, picture.height)
    assert all(holds(page, box) for box in [*picture.boxes, *picture.scopes.values()])
    assert all((box.width, box.height) == (item.width, item.height) for item, box in zip(items, picture.boxes))
    for a, b in itertools.combinations(picture.boxes, 2):
        assert apart(a, b)
    for item, box in zip(items, picture.boxes, strict=True):
        for scope, band in picture.scopes.items():
            assert holds(band, box) if scope in path_to(item.scope) else apart(band, box)
    for (a, band), (b, other) in itertools.combinations(picture.scopes.items(), 2):
        assert holds(band, other) if a in path_to(b) else holds(other, band) if b in path_to(a) else apart(band, other)
    assert_every_edge_is_drawn(items, picture)
    assert_lines_are_clear(items, picture)
    return picture


def assert_every_edge_is_drawn(items, picture):
    arrivals = [(line.source, line.target) for line in picture.lines if line.target is not None]
    assert arrivals == [(source, v) for v, item in enumerate(items) for source in item.inputs]
    ends: dict[int, list[float]] = {}
    for line in picture.lines:
        if line.target is not None:
            end, (x, y) = picture.boxes[line.target], line.points[-1]
            assert line.rises == items[line.target].rises
            assert y == (end.y + end.height if line.rises else end.y)
            assert end.x < x < end.x + end.width
            (x0, y0), direction = line.points[-2], 1 if line.rises else -1
            assert x0 == x
            assert (y0 - y) * direction >= ARROW - 1e-6
            ends.setdefault(line.target, []).append(x)
    assert all(a < b for order in ends.values() for a, b in itertools.pairwise(order))


def assert_lines_are_clear(items, picture):
    widths = title_widths(items)
    titles = [Box(band.x, band.y, widths[scope], TITLE_LINE) for scope, band in picture.scopes.items()]
    trunks = [line for line in picture.lines if line.target is None]
    page = Box(0, 0, picture.width, picture.height)
    for line in picture.lines:
        points = on_the_way(line)
        assert not are_inside([*picture.boxes, *titles], points)
        assert np.all((points > 0) & (points < (page.width, page.height)))
        start, (x, y) = picture.boxes[line.source], line.points[0]
        border = start.y if items[line.source].rises else start.y + start.height
        leaves_source = (x, y) == pytest.approx((middle(start), border))
        assert leaves_source or any(on_trunk(trunk, x, y) for trunk in trunks if trunk.source == line.source)


def on_trunk(trunk, x, y):
    return any(
        a[0] == x == b[0] and min(a[1], b[1]) <= y <= max(a[1], b[1])
        for a, b in itertools.chain(itertools.pairwise(trunk.points), zip(trunk.points, trunk.points, strict=True))
    )


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_nothing_overlaps_and_no_edge_runs_through_a_node_or_a_title(make):
    assert_drawn_well(items_of(graph(make())))


@pytest.mark.parametrize("name", gallery.GRAPHS)
def test_nothing_overlaps_and_no_edge_runs_through_a_node_in_the_gallery(name):
    drawn = drawing(gallery.GRAPHS[name], {"show": gallery.SCRIPT.SHOWN.get(name, ("shape",))})
    assert_drawn_well([item_of(mark) for mark in drawn.marks])


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_nothing_overlaps_and_no_edge_runs_through_a_node_with_the_sweep(make):
    assert_drawn_well([item_of(mark) for mark in drawing(with_sweep(make)).marks])


@settings(max_examples=100, deadline=None)
@given(any_items(can_rise=False))
def test_nothing_overlaps_in_random_graphs(items):
    assert_drawn_well(items)


@settings(max_examples=150, deadline=None)
@given(any_items())
def test_nothing_overlaps_whatever_rises_and_is_wanted_beside_what(items):
    assert_drawn_well(items)


@settings(max_examples=100, deadline=None)
@given(forward_and_backward())
def test_every_cotangent_stands_in_the_row_of_its_value_to_the_right(items):
    picture = assert_drawn_well(items)
    for item, box in zip(items, picture.boxes, strict=True):
        if item.beside is not None:
            value = picture.boxes[item.beside]
            assert box.y + box.height / 2 == pytest.approx(value.y + value.height / 2)
            assert box.x > value.x + value.width


@settings(max_examples=20, deadline=None)
@given(any_items())
def test_the_same_items_give_the_same_picture(items):
    assert laid_out(items) == laid_out(list(items))


# ----- What rises -----


def neuron():
    """σ(w·x + b) and its backward sweep."""
    forward = [(), (), (0, 1), (), (2, 3), (4,)]
    return with_backward([Item(80.0, 30.0, "", inputs) for inputs in forward], rule_steps=1)


def test_values_fall_and_cotangents_rise():
    items = neuron()
    picture = laid_out(items)
    for v, item in enumerate(items):
        for source in item.inputs:
            if items[source].rises == item.rises:
                falls = picture.boxes[source].y < picture.boxes[v].y
                assert falls != item.rises


def test_the_main_chain_is_straight_down_and_straight_up():
    forward = [Item(60.0 + 10 * i, 30.0, "", (i - 1,) if i else ()) for i in range(6)]
    for steps in range(3):
        items = with_backward(forward, rule_steps=steps)
        boxes = laid_out(items).boxes
        assert len({round(middle(box), 6) for item, box in zip(items, boxes) if item.inputs and not item.rises}) == 1
        assert len({round(middle(box), 6) for item, box in zip(items, boxes) if item.rises}) == 1


def test_a_cotangent_stands_next_to_its_value():
    items = neuron()
    boxes = laid_out(items).boxes
    for v, item in enumerate(items):
        if item.beside is not None:
            left, right = boxes[item.beside].x, boxes[v].x
            between = [
                box for box in boxes if left < box.x < right and not apart(box._replace(x=0), boxes[v]._replace(x=0))
            ]
            assert not between


def test_a_pair_that_would_close_a_circle_stands_in_two_rows():
    items = [Item(40.0, 20.0, "", ()), Item(40.0, 20.0, "", (0,))]
    items.append(Item(40.0, 20.0, "", (), rises=True, beside=0))
    items.append(Item(40.0, 20.0, "", (2,), rises=True, beside=1))
    boxes = assert_drawn_well(items).boxes
    assert boxes[3].y < boxes[2].y
    assert boxes[0].y < boxes[1].y


@pytest.mark.parametrize("rises", [True, False])
def test_what_only_the_backward_sweep_uses_stands_near_its_use(rises):
    items = with_backward([Item(60.0, 30.0, "", (i - 1,) if i else ()) for i in range(30)], rule_steps=1)
    user = max(v for v, item in enumerate(items) if item.rises and item.beside is None)
    more = [Item(30.0, 20.0, "", (), rises), Item(30.0, 20.0, "", (0,), rises)]
    for v, item in enumerate(items):
        inputs = *(source + 2 for source in item.inputs), *([1] if v == user else [])
        more.append(item._replace(inputs=inputs, beside=None if item.beside is None else item.beside + 2))
    boxes = assert_drawn_well(more).boxes
    assert abs(boxes[1].y - boxes[user + 2].y) < 100
    assert abs(boxes[0].y - boxes[user + 2].y) < 200


def test_what_is_computed_from_a_gradient_stands_near_it():
    items = with_backward([Item(60.0, 30.0, "", (i - 1,) if i else ()) for i in range(30)])
    gradient = len(items) - 1
    items += [Item(60.0, 30.0, "", (gradient,)), Item(60.0, 30.0, "", (0, gradient + 1))]
    boxes = assert_drawn_well(items).boxes
    assert abs(boxes[gradient + 1].y - boxes[gradient].y) < 100
    assert abs(boxes[gradient + 2].y - boxes[gradient].y) < 200


# ----- What falls -----


@pytest.mark.parametrize("sweep", [False, True], ids=["forward", "forward and backward"])
def test_values_without_room_in_the_rows_pass_them_beside_the_picture(sweep):
    items = [Item(30.0, 20.0, "", ()), *(Item(30.0, 20.0, "", (i,)) for i in range(60))]
    for i in [*range(60, -1, -1), *range(61)]:
        items.append(Item(30.0, 20.0, "", (len(items) - 1, i)))
    picture = assert_drawn_well(with_backward(items) if sweep else items)
    rightmost = max(box.x + box.width for box in picture.boxes)
    assert any(x > rightmost for line in picture.lines for x, _ in line.points)


def test_layers_stand_below_one_another_in_the_order_of_their_calls():
    bands = laid_out(items_of(graph(PICTURES["two_layer_loss"]()))).scopes
    assert bands["layers.0"].y + bands["layers.0"].height < bands["layers.1"].y


def test_layers_stay_below_one_another_with_their_cotangents():
    forward = items_of(graph(PICTURES["two_layer_loss"]()))
    bands = assert_drawn_well(with_backward(forward, rule_steps=2)).scopes
    assert bands["layers.0"].y + bands["layers.0"].height < bands["layers.1"].y


def test_a_chain_is_straight():
    boxes = laid_out([Item(30.0 * (i % 3 + 1), 20.0, "", (i - 1,) if i else ()) for i in range(5)]).boxes
    assert len({round(middle(box), 6) for box in boxes}) == 1


def test_a_value_that_passes_rows_descends_straight():
    items = [Item(30.0, 20.0, "", ()), Item(30.0, 20.0, "", (0,))]
    items += [Item(40.0 + 50 * (i % 2), 20.0, "", (i, i - 1)) for i in range(1, 9)]
    items.append(Item(40.0, 20.0, "", (9, 0, 2)))
    for line in assert_drawn_well(items).lines:
        assert len({x for x, _ in line.points}) <= 2


def test_the_main_chain_through_residual_blocks_is_straight():
    g = graph(PICTURES["residual_blocks"]())
    boxes = laid_out(items_of(g)).boxes
    chain = [
        box for node, box in zip(g.nodes, boxes, strict=True) if node.primitive in ("relu", "matmul", "add", "sum")
    ]
    assert len(chain) > 8
    assert len({round(middle(box), 6) for box in chain}) == 1


# ----- Size -----


def deep(blocks):
    items = [Item(60.0, 30.0, "", ()), Item(60.0, 30.0, "", ())]
    for i in range(blocks):
        scope = f"blocks.{i // 50}.{i % 50}"
        items.append(Item(60.0, 30.0, scope, (len(items) - 1, 0)))
        items.append(Item(60.0, 30.0, scope, (len(items) - 1,)))
    return items


def test_10_000_nodes_are_laid_out():
    items = deep(5_000)
    picture = laid_out(items)
    assert len(picture.boxes) == 10_002
    assert len(picture.lines) < 15_100


def test_10_000_nodes_forward_and_backward_are_laid_out():
    forward = [Item(60.0, 30.0, "", ())]
    for i in range(1_250):
        scope, before = f"blocks.{i // 10}", len(forward) - 1
        forward.append(Item(40.0, 30.0, scope, ()))
        forward.append(Item(60.0, 30.0, scope, (before, before + 1)))
    items = with_backward(forward, rule_steps=2)
    assert len(items) > 9_900
    picture = laid_out(items)
    assert max(box.x + box.width for box in picture.boxes) < 2_000
