"""The geometry of the own layout, measured."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tests.graphs.pictured import PICTURES, parameter, scope
from tinygrad_lite.graphs import graph, look
from tinygrad_lite.graphs.labels import scope_title
from tinygrad_lite.graphs.layout import Box
from tinygrad_lite.graphs.scopes import path_to
from tinygrad_lite.graphs.svg import PADDING, SLANT, label_size, laid_out

SCOPES = ["", "a", "a.0", "a.1", "b", "a title much longer than what is in it", "b.0.deep"]


@st.composite
def random_graphs(draw):
    values = [parameter(2, "x"), parameter(2, "a.0.w"), parameter(2)]
    for _ in range(draw(st.integers(1, 40))):
        near = st.integers(max(0, len(values) - 6), len(values) - 1)
        i, j = draw(near), draw(st.integers(0, len(values) - 1))
        with scope(draw(st.sampled_from(SCOPES))):
            values.append(
                draw(
                    st.sampled_from(
                        [
                            lambda x, _: np.tanh(x),
                            lambda x, y: x * y,
                            lambda x, _: 2.0 - x,
                            lambda x, _: x * np.ones(2, np.float32),
                            lambda x, y: tg.stack([x, y, x, y])[1],
                        ]
                    )
                )(values[i], values[j])
            )
    return graph(tg.concatenate(values[-draw(st.integers(1, 5)) :]))


def apart(a, b):
    return a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y


def holds(a, b):
    return a.x < b.x and a.y < b.y and b.x + b.width < a.x + a.width and b.y + b.height < a.y + a.height


def on_the_way(line):
    """Points along a line as it is drawn: straight down, or a curve from one height to the next."""
    for (x0, y0), (x1, y1) in itertools.pairwise(line.points):
        for t in np.linspace(0, 1, 33):
            sideways, down = t * t * (3 - 2 * t), 1.5 * t - 1.5 * t * t + t**3
            yield x0 + (x1 - x0) * sideways, y0 + (y1 - y0) * down


def inside(box, point, rim=0.01):
    return rim < point[0] - box.x < box.width - rim and rim < point[1] - box.y < box.height - rim


def assert_drawn_well(g):
    picture = laid_out(g)
    page = Box(0, 0, picture.width, picture.height)
    assert all(holds(page, box) for box in [*picture.boxes, *picture.scopes.values()])
    for a, b in itertools.combinations(picture.boxes, 2):
        assert apart(a, b)
    for node, box in zip(g.nodes, picture.boxes, strict=True):
        width, height = label_size(node)
        assert width + 2 * PADDING + 2 * SLANT * (node.kind == "parameter") <= box.width
        assert height <= box.height
        for scope_path, band in picture.scopes.items():
            assert holds(band, box) if scope_path in path_to(node.scope) else apart(band, box)
    for (a, band), (b, other) in itertools.combinations(picture.scopes.items(), 2):
        assert holds(band, other) if a in path_to(b) else holds(other, band) if b in path_to(a) else apart(band, other)
    assert_lines_are_clear(g, picture)


def assert_lines_are_clear(g, picture):
    titles = [
        Box(band.x, band.y, PADDING + look.text_width(scope_title(path), look.SCOPE_SIZE), look.SCOPE_SIZE + 8)
        for path, band in picture.scopes.items()
    ]
    arrivals = [(line.source, line.target) for line in picture.lines if line.target is not None]
    assert arrivals == [(edge.source, edge.target) for edge in g.edges]
    trunks = {line.source: line for line in picture.lines if line.target is None}
    for line in picture.lines:
        points = list(on_the_way(line))
        assert not any(inside(box, point) for box in picture.boxes for point in points)
        assert not any(inside(title, point) for title in titles for point in points)
        start, (x, y) = picture.boxes[line.source], line.points[0]
        leaves_source = y == pytest.approx(start.y + start.height) and start.x < x < start.x + start.width
        assert leaves_source or line.points[0] in trunks[line.source].points or on_trunk(trunks[line.source], x, y)
        if line.target is not None:
            end, (x, y) = picture.boxes[line.target], line.points[-1]
            assert y == pytest.approx(end.y)
            assert end.x < x < end.x + end.width


def on_trunk(trunk, x, y):
    return any(a[0] == x == b[0] and a[1] <= y <= b[1] for a, b in itertools.pairwise(trunk.points))


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_nothing_overlaps_and_no_edge_runs_through_a_node_or_a_title(make):
    assert_drawn_well(graph(make()))


@settings(max_examples=60, deadline=None)
@given(random_graphs())
def test_nothing_overlaps_in_random_graphs(g):
    assert_drawn_well(g)


def test_values_without_room_in_the_rows_descend_beside_the_picture():
    early = [np.tanh(parameter(2))]
    for _ in range(60):
        early.append(np.tanh(early[-1]))
    late = early[-1]
    for value in [*early[::-1], *early]:
        late = late * value
    g = graph(late)
    assert_drawn_well(g)
    picture = laid_out(g)
    rightmost = max(box.x + box.width for box in picture.boxes)
    assert any(x > rightmost for line in picture.lines for x, _ in line.points)


def test_operands_arrive_from_left_to_right():
    x, y = parameter(2, "x"), parameter(2, "y")
    first, second = (line.points[-1][0] for line in laid_out(graph(x - y)).lines)
    assert first < second


def test_layers_stand_below_one_another_in_the_order_of_their_calls():
    bands = laid_out(graph(PICTURES["two_layer_loss"]())).scopes
    assert bands["layers.0"].y + bands["layers.0"].height < bands["layers.1"].y


def test_a_chain_is_straight():
    boxes = laid_out(graph(np.tanh(np.exp(np.sin(parameter(2)))))).boxes
    assert len({round(box.x + box.width / 2, 6) for box in boxes}) == 1


def test_10_000_nodes_are_laid_out():
    shared, h = parameter(2, "w"), parameter(2, "x")
    for i in range(5_000):
        with scope(f"blocks.{i // 50}.{i % 50}"):
            h = np.tanh(h * shared)
    picture = laid_out(graph(h))
    assert len(picture.boxes) == 10_002
    assert len(picture.lines) < 15_100
