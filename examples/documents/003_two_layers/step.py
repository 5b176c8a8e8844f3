"""Document 003 step by step: each value, and each gradient by the document's formula, automatic, and numeric.

    python examples/documents/003_two_layers/step.py

The network has 3 inputs, 4 hidden units and 3 classes, and the numbers have one digit, so that any line can be done
again with a pencil. No verdict is written here: a formula holds if it differs from the automatic gradient by no more
than rounding, under one of the readings that the document allows. What is printed stands in output.txt.
"""

# ruff: noqa: N802, N816 - symbols are called as in the document

import numpy as np

import tinygrad_lite as tg

# ----- The network of the document: y1 = σ(W1 x), y2 = softmax(W2 y1), no biases -----

x = np.array([1.0, 0.5, -1.0])
t = np.array([0.0, 1.0, 0.0])  # the second class is the right one
W1 = np.array([[0.2, -0.4, 0.1], [0.5, 0.3, -0.2], [-0.3, 0.8, 0.4], [0.1, -0.6, 0.7]])
W2 = np.array([[0.3, -0.5, 0.9, 0.2], [-0.7, 0.4, 0.1, 0.6], [0.8, 0.2, -0.3, -0.1]])


def σ(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    return np.exp(z) / np.sum(np.exp(z))


def cross_entropy(y):  # for one example, m = 1; with the truth of each output beside the log of the same
    return -np.sum(t * np.log(y))


def forward(x):
    z1 = W1 @ x
    y1 = σ(z1)
    z2 = W2 @ y1
    return z1, y1, z2, softmax(z2)


z1, y1, z2, y2 = forward(x)

# What is left of the network from each value on: its derivative is the gradient that the document derives.


def E_of_z2(z2):
    return cross_entropy(softmax(z2))


def E_of_y1(y1):
    return E_of_z2(W2 @ y1)


def E_of_z1(z1):
    return E_of_y1(σ(z1))


def E_of_W2(W2):
    return E_of_z2(W2 @ y1)


def E_of_W1(W1):
    return E_of_z1(W1 @ x)


# ----- Three derivatives beside one another -----

ROUNDING, CENTRAL = 1e-12, 1e-8
"""How far apart two right derivatives may lie: by rounding alone, and by the error of a central difference."""

readings = {}
"""By formula, whether each of its readings holds: those that the document's own definitions allow."""


def numeric_derivative(f, at, h=1e-5):
    """Move each entry a little to either side; the derivative by it is the difference of f over 2h."""
    at = np.asarray(at)
    columns = []
    for entry in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[entry] = h
        columns.append((f(at + step) - f(at - step)) / (2 * h))
    return np.stack(columns, axis=-1).reshape(np.shape(f(at)) + at.shape)


def compare(id, reading, by_formula, f, at, part=""):
    """Hold a reading of a formula, or one part of it, against the derivatives of f; all its parts must hold."""
    holds = beside_derivatives(reading + part, by_formula, f, at)
    tried = readings.setdefault(id, {})
    tried[reading] = tried.get(reading, True) and holds


def corrected(statement, by_formula, f, at):
    """Show what the formula should have been."""
    beside_derivatives(f"right is {statement}", by_formula, f, at)


def beside_derivatives(title, by_formula, f, at):
    """Print the values of a formula beside the automatic and the numeric derivative of f; return whether it holds."""
    automatic, numeric = tg.jacobian(f)(at), numeric_derivative(f, at)
    off = np.max(np.abs(by_formula - automatic))
    off_numeric = np.max(np.abs(automatic - numeric))
    assert off_numeric < CENTRAL  # or the automatic derivative would be no yardstick
    holds = bool(off < ROUNDING)
    print(f"    {title}:")
    beside_one_another({"by the formula": by_formula, "automatic": automatic, "numeric": numeric})
    print(
        f"      largest difference: formula − automatic {told(off)}, automatic − numeric {told(off_numeric)}"
        f"   → {'holds' if holds else 'DOES NOT HOLD'}\n"
    )
    return holds


def told(difference):
    """Say a difference; the figures of one that is rounding only would be others on another machine."""
    limits = [limit for limit in (ROUNDING, CENTRAL) if difference < limit]
    return f"below {limits[0]:.0e}" if limits else f"{difference:.5f}"


def beside_one_another(columns):
    tables = [[name, *rows(values)] for name, values in columns.items()]
    for line in zip(*tables, strict=True):
        cells = (f"{cell:<{max(map(len, table))}}" for cell, table in zip(line, tables, strict=True))
        print("      " + " | ".join(cells).rstrip())


def rows(values):
    """Write a matrix as its rows, a vector as one row; + 0 makes a rounded −0 a 0."""
    return [" ".join(f"{value:8.5f}" for value in row) for row in np.atleast_2d(np.round(values, 5) + 0.0)]


def step(number, title):
    print(f"══ Step {number}: {title} ══\n")


def formula(id, statement):
    print(f"{id}  {statement}\n")


# ----- The values, forward -----


def print_values(named_values):
    for name, (values, meaning) in named_values.items():
        first, *others = rows(values)
        print(f"  {name:3} {first:36} {meaning}")
        for row in others:
            print(f"      {row}")


def activations(x, t):
    """Return the values that depend on the example."""
    z1, y1, z2, y2 = forward(x)
    return {
        "x": (x, "the input"),
        "t": (t, "the truth"),
        "z1": (z1, "= W1 x"),
        "y1": (y1, "= σ(z1)"),
        "z2": (z2, "= W2 y1"),
        "y2": (y2, "= softmax(z2)"),
        "E": (-np.sum(t * np.log(y2)), "= −Σ_j t_j log(y2_j)"),
    }


print("══ The values ══\n")
print_values({"W1": (W1, "hidden units × inputs"), "W2": (W2, "classes × hidden units"), **activations(x, t)})
print(
    "\nThe document prints E = (1/m) Σ_j −t_j · log(y_i). Its j and i must be one index, or E is not a number but one"
)
print("for each i; 003.2b below is tried both ways.\n")

# ----- The gradients, in the order of the document -----

step(1, "one sigmoid unit, E = −t log σ(Wx)")
w, truth = W1[1], 0.8  # the second hidden unit, with a truth of its own
print(f"  W = {rows(w)[0].strip()}, t = {truth}, Wx = {w @ x:.5f}, σ(Wx) = {σ(w @ x):.5f}\n")


def E_of_truth(t):
    return -t * np.log(σ(w @ x))


def E_of_input(x):
    return -truth * np.log(σ(w @ x))


e = np.exp(-w @ x)
formula("003.1a", "∂E/∂t = −log σ(Wx)")
compare("003.1a", "one unit", -np.log(σ(w @ x)), E_of_truth, truth)
formula("003.1b", "∂E/∂x = −t · (1 + e^{−Wx}) · 1/(1 + e^{−Wx}) · (1 − 1/(1 + e^{−Wx})) · W")
compare("003.1b", "one unit", -truth * (1 + e) * 1 / (1 + e) * (1 - 1 / (1 + e)) * w, E_of_input, x)
formula("003.1c", "∂E/∂x = −t · W · e^{e^{−Wx}} / (1 + e^{−Wx})")
compare("003.1c", "one unit", -truth * w * np.exp(e) / (1 + e), E_of_input, x)
print("    The numerator is e^{−Wx}, once: 1 − 1/(1 + e^{−Wx}) = e^{−Wx}/(1 + e^{−Wx}).\n")
corrected("∂E/∂x = −t · W · e^{−Wx} / (1 + e^{−Wx})", -truth * w * e / (1 + e), E_of_input, x)

step(2, "back through cross-entropy and softmax, to z2")
i, j = np.indices((3, 3))  # row i, column j
formula("003.2a", "∂y/∂z = y(1 − y) for i = j, −y_i y_j for i ≠ j")
compare("003.2a", "y_i by z_j", np.where(i == j, y2[i] * (1 - y2[i]), -y2[i] * y2[j]), softmax, z2)

formula("003.2b", "∂E/∂z2 = Σ_{i=j} −t_j/y_i · y_i(1 − y_i) + Σ_{i≠j} −t_j/y_i · (−y_i y_j)")
terms = np.where(i == j, -t[j] / y2[i] * y2[i] * (1 - y2[i]), -t[j] / y2[i] * (-y2[i] * y2[j]))
compare("003.2b", "for each z_j, the sums over i", np.sum(terms, axis=0), E_of_z2, z2)
compare("003.2b", "for each z_i, the sums over j", np.sum(terms, axis=1), E_of_z2, z2)


def E_as_printed(z2):
    return -np.sum(t) * np.log(softmax(z2))  # Σ_j −t_j log(y_i), a number for each i


compare("003.2b", "E as printed, with log(y_i) at one i, by each z_j", terms, E_as_printed, z2)
terms = np.where(i == j, -t[i] / y2[i] * y2[i] * (1 - y2[i]), -t[i] / y2[i] * (-y2[i] * y2[j]))
print("    In the second sum the truth belongs to the output that is summed over: t_i/y_i, not t_j/y_i.\n")
right = "∂E/∂z2_j = Σ_{i=j} −t_i/y_i · y_i(1 − y_i) + Σ_{i≠j} −t_i/y_i · (−y_i y_j)"
corrected(right, np.sum(terms, axis=0), E_of_z2, z2)

formula("003.2c", "∂E/∂z2 = −t(1 − y) + t·y")
compare("003.2c", "elementwise", -t * (1 - y2) + t * y2, E_of_z2, z2)
compare("003.2c", "t·y a scalar product", -t * (1 - y2) + t @ y2, E_of_z2, z2)
print("    The second term is y_j times the truths of the other outputs, not t_j y_j.\n")
corrected("∂E/∂z2_j = −t_j(1 − y_j) + y_j Σ_{i≠j} t_i", -t * (1 - y2) + y2 * (np.sum(t) - t), E_of_z2, z2)

formula("003.2d", "∂E/∂z2 = −t + y = (y2 − t), assume that the elements of t sum to 1")
compare("003.2d", "E with log(y_j) beside t_j", y2 - t, E_of_z2, z2)

step(3, "back through W2, to y1")
formula("003.3", "∂E/∂y1 = (y2 − t)ᵀ W2")
compare("003.3", "a row", (y2 - t).T @ W2, E_of_y1, y1)

step(4, "to W2")
formula("003.4", "∂E/∂W2 = (y2 − t) y1ᵀ")
compare("003.4", "a column times a row", np.outer(y2 - t, y1), E_of_W2, W2)

step(5, "the derivative of σ")
formula("003.5a", "∂σ(z)/∂z = e^{−z}/(1 + e^{−z})² = σ(z)(1 − σ(z))")
compare("003.5a", "elementwise", np.diag(np.exp(-z1) / (1 + np.exp(-z1)) ** 2), σ, z1, part=", e^{−z}/(1 + e^{−z})²")
compare("003.5a", "elementwise", np.diag(σ(z1) * (1 - σ(z1))), σ, z1, part=", σ(z)(1 − σ(z))")
formula("003.5b", "∂y1/∂z1 = diag(y1 ⊙ (1 − y1))")
compare("003.5b", "y1 by z1", np.diag(y1 * (1 - y1)), σ, z1)

step(6, "back through σ, to z1")
formula("003.6", "∂E/∂z1 = (y2 − t)ᵀ W2 diag(y1 ⊙ (1 − y1))")
dE_dz1 = (y2 - t).T @ W2 @ np.diag(y1 * (1 - y1))
compare("003.6", "a row", dE_dz1, E_of_z1, z1)

step(7, "to W1")
formula("003.7", "∂E/∂W1 = ∂E/∂z1 · x")
compare("003.7", "∂E/∂z1 as a column, x as a row", np.outer(dE_dz1, x), E_of_W1, W1)

step(8, "a batch of m = 2 examples, E with its 1/m")
examples = [(x, t), (np.array([-0.5, 1.0, 0.3]), np.array([0.0, 0.0, 1.0]))]
print("  The first example is that of the steps above. The second:")
print_values(activations(*examples[1]))
print()


def E_of_example(W1, W2, x, t):
    return -np.sum(t * np.log(softmax(W2 @ σ(W1 @ x))))


def E_of_batch(W1, W2):
    return sum(E_of_example(W1, W2, *example) for example in examples) / len(examples)


def by_the_steps(x, t):
    """Return ∂E/∂W1 by 003.6 and 003.7, and ∂E/∂W2 by 003.4, for one example."""
    _, y1, _, y2 = forward(x)
    return np.outer((y2 - t).T @ W2 @ np.diag(y1 * (1 - y1)), x), np.outer(y2 - t, y1)


formula("003.8", "for m > 1: the above for each example of the batch")
gradients = [by_the_steps(*example) for example in examples]
for number, (example, (dW1, dW2)) in enumerate(zip(examples, gradients, strict=True), 1):
    own = "each example by the E of its own"
    compare("003.8", own, dW1, lambda W1, e=example: E_of_example(W1, W2, *e), W1, part=f": example {number}, W1")
    compare("003.8", own, dW2, lambda W2, e=example: E_of_example(W1, W2, *e), W2, part=f": example {number}, W2")
sum_W1, sum_W2 = (sum(of_example) for of_example in zip(*gradients, strict=True))
summed = "summed over the batch, E with its 1/m"
compare("003.8", summed, sum_W1, lambda W1: E_of_batch(W1, W2), W1, part=": W1")
compare("003.8", summed, sum_W2, lambda W2: E_of_batch(W1, W2), W2, part=": W2")
print("    The sum is m = 2 times too large, for E has a 1/m. Its gradient is the mean over the examples.\n")
corrected("the mean, W1", sum_W1 / 2, lambda W1: E_of_batch(W1, W2), W1)
corrected("the mean, W2", sum_W2 / 2, lambda W2: E_of_batch(W1, W2), W2)

step(9, "an L2 penalty")
λ = 0.1
print(f"  λ = {λ}\n")


def with_half_the_square(W2):
    return E_of_W2(W2) + λ / 2 * np.sum(W2**2)


def with_the_square(W2):
    return E_of_W2(W2) + λ * np.sum(W2**2)


dE_dW2 = np.outer(y2 - t, y1)
normalised = "with L2 the partial derivatives are normalised also, by multiplying with λ and value of the W (λ·W)"
formula("003.9", normalised)
compare("003.9", "∂E/∂W ⊙ λW, the penalty (λ/2)‖W‖²", dE_dW2 * (λ * W2), with_half_the_square, W2)
compare("003.9", "∂E/∂W ⊙ λW, the penalty λ‖W‖²", dE_dW2 * (λ * W2), with_the_square, W2)
print("    λW is added to the partial derivative, not multiplied with it.\n")
corrected("∂E/∂W + λW, the penalty (λ/2)‖W‖²", dE_dW2 + λ * W2, with_half_the_square, W2)

# ----- The same in one call, as one would check a derivation of one's own -----


def network(W1, W2):
    """The loss, written once; what is named can be checked on the way."""
    y1 = tg.named(σ(tg.named(W1 @ x, "z1")), "y1")
    return E_of_z2(tg.named(W2 @ y1, "z2"))


def print_check(dE_dz2, dE_dy1, dE_dz1):
    """Check a derivation, its values on the way as well, and print what was found of each."""
    report = tg.check_gradients(
        network,
        W1,
        W2,
        analytic=lambda W1, W2: (np.outer(dE_dz1, x), np.outer(dE_dz2, y1)),
        deltas={"z2": dE_dz2, "y1": dE_dy1, "z1": dE_dz1},
    )
    print("  " + ", ".join(f"∂E/∂{row.name} {row.status}" for row in (*report.deltas, *report.rows)))
    if not report:
        departs = next(row for row in report.deltas if row.name == report.departs_at)
        cause = departs.diagnosis[0]
        print(f"  walking back from E, it departs at ∂E/∂{departs.name}: {cause.slug} in {cause.where}:")
        print(f"  {cause.correction}")


print("══ All steps in one call: tg.check_gradients(network, W1, W2, analytic=…, deltas=…) ══\n")
dE_dz2, dE_dy1 = y2 - t, (y2 - t).T @ W2
print("As derived:")
print_check(dE_dz2, dE_dy1, dE_dz1)
print("\nWith step 5 forgotten, ∂E/∂z1 = (y2 − t)ᵀ W2:")
print_check(dE_dz2, dE_dy1, dE_dy1)

print("\n══ What holds under one of its readings ══\n")
for id, tried in readings.items():
    print(f"  {id:6}  {'holds' if any(tried.values()) else 'fails'}")
