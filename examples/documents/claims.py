"""Five documents on backpropagation, formula by formula as they state them, each held against the true derivative.

    python -m tinygrad_lite check examples/documents/claims.py

A claim holds if at least one reading that the document's own definitions allow agrees with the truth at random inputs.
A reading may transpose, take examples as rows or as columns, take a factor as elementwise or diagonal, one example or
the sum over a batch, leave out the bias column of W2, or set λ = 0 where the data term alone is differentiated. It
never changes a sign, an exponent, a factor or an index, and never picks special values. The truth is the automatic
derivative of what the document defines; no verdict is written here. README.md tells the findings in prose.
"""

# ruff: noqa: N802, N816, E741 - symbols are called as in the documents

import inspect

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import optim

# ----- How a formula is held against the truth -----
#
# A function that draws inputs returns its locals(): each of its names is a symbol, which formulas use by that name.


def of(formula, symbols):
    """Return the formula of the symbols that it names as its arguments."""
    return formula(**{name: symbols[name] for name in inspect.signature(formula).parameters})


def against(truth, drawn):
    """Return what makes a reading of a formula: the formula as stated, and the truth, of the same drawn symbols."""

    def reading(formula, **settings):
        def sides(rng):
            symbols = drawn(rng, **settings)
            return of(formula, symbols), of(truth, symbols)

        return sides

    return reading


def gradient_check(f, name, drawn):
    """Return what makes a reading of a formula for the gradient of f by a symbol: a check that names the mistake."""

    def reading(formula, **settings):
        def report(rng):
            symbols = drawn(rng, **settings)
            return tg.check_gradients(of(f, symbols), symbols[name], analytic=lambda _: of(formula, symbols))

        return report

    return reading


def chain(*readings):
    """Return the reading of a chain of equalities, all of which must hold."""

    def equalities(rng):
        for reading in readings:
            yield reading(rng)

    return equalities


def sizes(rng, count):
    """Return sizes that differ from one another, so that no formula fits by accident."""
    return rng.permutation(np.arange(2, 9))[:count].tolist()


def derivative(f, a):
    """Return the derivative of an elementwise function."""
    return tg.grad(lambda a: np.sum(f(a)))(a)


def softmax(s):
    return np.exp(s) / np.sum(np.exp(s), axis=-1, keepdims=True)


def σ(a):
    return 1 / (1 + np.exp(-a))


def shares(rng, *shape):
    """Return truths whose last axis sums to 1."""
    t = rng.uniform(0.1, 1, size=shape)
    return t / t.sum(axis=-1, keepdims=True)


# ----- Document 000: an MLP with one hidden layer -----

H = {"softplus": lambda a: np.log(1 + np.exp(a)), "tanh": np.tanh, "cos": np.cos}
"""The activations h of document 000."""

DH = {
    "softplus": lambda a: np.exp(a) / (1 + np.exp(a)),
    "tanh": lambda a: 1 - np.tanh(a) ** 2,
    "cos": lambda a: -np.sin(a),
}
"""Their derivatives as 000.12 states them."""


def with_ones(S):
    return np.concatenate([np.ones((len(S), 1)), S], axis=1)


def one_hot(rng, N, K):
    return np.eye(K)[rng.integers(K, size=N)]


def one_layer(rng):
    N, D, K = sizes(rng, 3)
    X, T, W = with_ones(rng.normal(size=(N, D))), one_hot(rng, N, K), rng.normal(size=(K, D + 1))
    λ = rng.uniform(0.1, 1)
    Y = softmax(X @ W.T)

    def E(W):  # 000.1
        return np.sum(T * np.log(softmax(X @ W.T))) - λ / 2 * np.sum(W**2)

    return locals()


def two_layers(rng, activation=None, λ=None):
    N, D, M, K = sizes(rng, 4)
    X, T = with_ones(rng.normal(size=(N, D))), one_hot(rng, N, K)
    W1, W2 = 0.5 * rng.normal(size=(M, D + 1)), rng.normal(size=(K, M + 1))
    λ = rng.uniform(0.1, 1) if λ is None else λ
    activation = activation or rng.choice(list(H))
    h = H[activation]
    S1 = X @ W1.T
    dh = derivative(h, S1)  # h'(S1), taken automatically
    Z = with_ones(h(S1))
    S2 = Z @ W2.T
    Y = softmax(S2)

    def E_of_S2(S2):
        return np.sum(T * np.log(softmax(S2)))

    def E_of_Z(Z):
        return E_of_S2(Z @ W2.T)

    def E_of_S1(S1):
        return E_of_Z(with_ones(h(S1)))

    def E_of_W1(W1):
        return E_of_S1(X @ W1.T) - λ / 2 * (np.sum(W1**2) + np.sum(W2**2))

    def E_of_W2(W2):
        return E_of_S2(Z @ W2.T) - λ / 2 * (np.sum(W1**2) + np.sum(W2**2))

    return locals()


def unit_by_unit(outputs, weights):
    """Return ∂s_k/∂w_k for each column s_k of the outputs and its own row w_k of the weights."""
    return np.einsum("nkkj->knj", tg.jacobian(outputs)(weights))


def row_by_row(outputs, inputs):
    """Return ∂s_n/∂z_n for each row of the outputs and its own row of the inputs."""
    return np.einsum("nknj->nkj", tg.jacobian(outputs)(inputs))


value_of_E = against(lambda E, W: E(W), one_layer)
dE_dW = gradient_check(lambda E: E, "W", one_layer)
dE_dW1 = gradient_check(lambda E_of_W1: E_of_W1, "W1", two_layers)
dE_dW2 = gradient_check(lambda E_of_W2: E_of_W2, "W2", two_layers)
dE_dS1 = against(lambda E_of_S1, S1: tg.grad(E_of_S1)(S1), two_layers)
dE_dS2 = against(lambda E_of_S2, S2: tg.grad(E_of_S2)(S2), two_layers)
dE_dZ = against(lambda E_of_Z, Z: tg.grad(E_of_Z)(Z), two_layers)
dS1_dW1 = against(lambda X, W1: unit_by_unit(lambda W1: X @ W1.T, W1), two_layers)
dS2_dW2 = against(lambda Z, W2: unit_by_unit(lambda W2: Z @ W2.T, W2), two_layers)
dS2_dZ = against(lambda Z, W2: row_by_row(lambda Z: Z @ W2.T, Z), two_layers)
dh_dS1 = against(lambda h, S1: derivative(h, S1), two_layers)


def with_and_without_penalty(check, formula):
    return {"the data term alone, λ = 0": check(formula, λ=0.0), "with the penalty of 000.1": check(formula)}


DOCUMENT_000 = [
    tg.Claim(
        "000.1",
        "E(W) = Σ_n Σ_k t_nk log y_nk − (λ/2) Σ_k ‖w_k‖²",
        note="it defines the objective, which is to be maximised",
    ),
    tg.Claim(
        "000.2",
        "E(W) = Σ_n [ Σ_k t_nk w_kᵀx_n − log Σ_j exp(w_jᵀx_n) ] − (λ/2) Σ_k ‖w_k‖²",
        readings={
            "y of 000.1 a softmax": value_of_E(
                lambda X, T, W, λ: (
                    np.sum(np.sum(T * (X @ W.T), axis=1) - np.log(np.sum(np.exp(X @ W.T), axis=1)))
                    - λ / 2 * np.sum(W**2)
                )
            )
        },
    ),
    tg.Claim(
        "000.3",
        "∂E/∂W = (T − Y)ᵀ X − λ W",
        readings={"rows are examples": dE_dW(lambda T, Y, X, λ, W: (T - Y).T @ X - λ * W)},
    ),
    tg.Claim(
        "000.4",
        "∂E/∂W2 = (T − Y)ᵀ Z",
        readings=with_and_without_penalty(dE_dW2, lambda T, Y, Z: (T - Y).T @ Z),
    ),
    tg.Claim(
        "000.5",
        "∂S2/∂W2 = ∂(Z W2)/∂W2 = Z, so ∂E/∂S2 = T − Y",
        readings={
            "each column of S2 by its own row of W2": chain(
                dS2_dW2(lambda Z, Y: np.stack([Z] * Y.shape[1])),
                dE_dS2(lambda T, Y: T - Y),
            )
        },
    ),
    tg.Claim(
        "000.6",
        "∂S1/∂W1 = ∂(W1ᵀX)/∂W1 = X, so ∂E/∂W1 = ∂E/∂S1 · X",
        readings={
            "each column of S1 by its own row of W1; ∂E/∂S1 transposed; λ = 0": chain(
                dS1_dW1(lambda X, W1: np.stack([X] * len(W1))),
                dE_dW1(lambda E_of_S1, S1, X: tg.grad(E_of_S1)(S1).T @ X, λ=0.0),
            )
        },
    ),
    tg.Claim(
        "000.7",
        "∂Z/∂S1 = h'(W1ᵀX), so ∂E/∂S1 = ∂E/∂Z · h'(W1ᵀX)",
        readings={
            "h' elementwise, rows are examples, Z without its column of ones": chain(
                dh_dS1(lambda activation, X, W1: DH[activation](X @ W1.T)),
                dE_dS1(lambda E_of_Z, Z, dh: tg.grad(E_of_Z)(Z)[:, 1:] * dh),
            )
        },
    ),
    tg.Claim(
        "000.8",
        "∂S2/∂Z = ∂(W2ᵀZ)/∂Z = W2, so ∂E/∂Z = ∂E/∂S2 · W2, and ∂E/∂Z = (T − Y) W2",
        readings={
            "rows are examples": chain(
                dS2_dZ(lambda W2, Z: np.stack([W2] * len(Z))),
                dE_dZ(lambda E_of_S2, S2, W2: tg.grad(E_of_S2)(S2) @ W2),
                dE_dZ(lambda T, Y, W2: (T - Y) @ W2),
            )
        },
    ),
    tg.Claim(
        "000.9",
        "∂E/∂S1 = (T − Y) W2 h'(W1ᵀX)",
        readings={"h' elementwise, W2 without its bias column": dE_dS1(lambda T, Y, W2, dh: (T - Y) @ W2[:, 1:] * dh)},
    ),
    tg.Claim(
        "000.10",
        "∂E/∂W1 = (T − Y) W2 h'(W1ᵀX) X",
        readings={
            "h' elementwise, W2 without its bias column, the factor before X transposed; λ = 0": dE_dW1(
                lambda T, Y, W2, dh, X: ((T - Y) @ W2[:, 1:] * dh).T @ X, λ=0.0
            ),
        },
    ),
    tg.Claim(
        "000.11",
        "∂E/∂W1 = [ (T − Y) W2 h'(W1ᵀX) ]ᵀ X",
        readings=with_and_without_penalty(dE_dW1, lambda T, Y, W2, dh, X: ((T - Y) @ W2[:, 1:] * dh).T @ X),
    ),
    tg.Claim(
        "000.12",
        "h' = e^a/(1 + e^a), 1 − tanh²(a), −sin(a); the code subtracts λW1 and λW2, bias columns included, "
        "and drops the bias column of W2 in 000.9",
        readings={
            "as in the code": chain(
                *(dh_dS1(lambda S1, activation: DH[activation](S1), activation=h) for h in H),
                dE_dW2(lambda T, Y, Z, λ, W2: (T - Y).T @ Z - λ * W2),
                dE_dW1(
                    lambda T, Y, W2, activation, S1, X, λ, W1: ((T - Y) @ W2[:, 1:] * DH[activation](S1)).T @ X - λ * W1
                ),
            )
        },
    ),
]

# ----- Document 001: softmax on top of a sigmoid layer, a question and its answer -----


def sigmoid_layer(rng):
    N, D, K = sizes(rng, 3)
    x, t, θ = rng.normal(size=(N, D)), shares(rng, N, K), rng.normal(size=(D, K))
    a = x @ θ
    z = σ(a)
    y = softmax(z)
    δ = np.eye(K)
    dy_dz = np.stack([tg.jacobian(softmax)(z_n) for z_n in z])  # ∂y_k/∂z_j at [n, k, j]
    dz_da = derivative(σ, a)
    da_dθ = np.einsum("njij->nij", tg.jacobian(lambda θ: x @ θ)(θ))  # ∂a_j/∂θ_ij at [n, i, j]

    def E(θ):
        return -np.sum(t * np.log(softmax(σ(x @ θ))))

    return locals()


def up_to_k(z):
    """Return the outputs as printed in 001.0a, where the sum ends at the k of the numerator."""
    return np.exp(z) / (np.exp(z) @ np.triu(np.ones((z.shape[-1], z.shape[-1]))))


terms_by_θ = against(
    lambda x, t, θ: tg.jacobian(lambda θ: t * np.log(softmax(σ(x @ θ))))(θ),  # ∂(t_k log y_k)/∂θ_ij at [n, k, i, j]
    sigmoid_layer,
)
dlog_dy = against(lambda y: derivative(np.log, y), sigmoid_layer)
dy_dz = against(lambda dy_dz: dy_dz, sigmoid_layer)
dy_dz_as_printed = against(lambda z: np.stack([tg.jacobian(up_to_k)(z_n) for z_n in z]), sigmoid_layer)
da_dθ = against(lambda da_dθ: da_dθ, sigmoid_layer)
dE_dθ = gradient_check(lambda E: E, "θ", sigmoid_layer)


def dz_da(formula):
    """Return the reading of a formula for the derivative of z = σ(a), which is elementwise."""

    def report(rng):
        return tg.check_gradients(σ, sigmoid_layer(rng)["a"], vjp=lambda cotangent, a: cotangent * formula(a))

    return report


def softmax_derivative(y, δ):
    """y_k (δ_jk − y_j), as 001.2 has it, at [n, k, j]."""
    return y[:, :, None] * (δ - y[:, None, :])


WRONG_EXPONENT = "the numerator is e^{−a}: the derivative of 1 + e^{−a} is −e^{−a}"

DOCUMENT_001 = [
    tg.Claim(
        "001.0a",
        "y_k = exp(z_k) / Σ_{j=1}^{k} exp(z_j)",
        note="it defines the output; the upper bound of the sum is to be K, the number of outputs (see 001.2)",
    ),
    tg.Claim(
        "001.0b",
        "∂(t_k log y_k)/∂θ_ij = t_k · (d log y_k/dy_k)(∂y_k/∂z_j)(dz_j/da_j)(∂a_j/∂θ_ij)",
        readings={
            "each factor taken by itself": terms_by_θ(
                lambda t, y, dy_dz, dz_da, da_dθ: np.einsum(
                    "nk,nk,nkj,nj,nij->nkij", t, derivative(np.log, y), dy_dz, dz_da, da_dθ
                )
            )
        },
    ),
    tg.Claim("001.1", "d log y_k/dy_k = 1/y_k", readings={"elementwise": dlog_dy(lambda y: 1 / y)}),
    tg.Claim(
        "001.2",
        "∂y_k/∂z_j = y_k (δ_jk − y_j)",
        readings={
            "y the softmax, its sum over all outputs": dy_dz(softmax_derivative),
            "y as printed in 001.0a, its sum up to k": dy_dz_as_printed(lambda z, δ: softmax_derivative(up_to_k(z), δ)),
        },
    ),
    tg.Claim(
        "001.3",
        "dz_j/da_j = d/da_j 1/(1 + e^{−a_j}) = e^{a_j}/(1 + e^{−a_j})²",
        readings={"elementwise": dz_da(lambda a: np.exp(a) / (1 + np.exp(-a)) ** 2)},
        corrected=("dz_j/da_j = e^{−a_j}/(1 + e^{−a_j})²", dz_da(lambda a: np.exp(-a) / (1 + np.exp(-a)) ** 2)),
        note=WRONG_EXPONENT,
    ),
    tg.Claim(
        "001.4",
        "∂a_j/∂θ_ij = x_i",
        readings={"for every j": da_dθ(lambda x, θ: np.stack([x] * θ.shape[1], axis=2))},
    ),
    tg.Claim(
        "001.5",
        "∂E/∂θ_ij = −Σ_n Σ_k t_k^n (δ_jk − y_j^n) · e^{a_j^n}/(1 + e^{−a_j^n})² · x_i^n",
        readings={
            "summed over examples and outputs": dE_dθ(
                lambda t, δ, y, a, x: (
                    -np.einsum("nk,nkj,nj,ni->ij", t, δ - y[:, None, :], np.exp(a) / (1 + np.exp(-a)) ** 2, x)
                )
            )
        },
        corrected=(
            "∂E/∂θ_ij = −Σ_n Σ_k t_k^n (δ_jk − y_j^n) · e^{−a_j^n}/(1 + e^{−a_j^n})² · x_i^n",
            dE_dθ(
                lambda t, δ, y, a, x: (
                    -np.einsum("nk,nkj,nj,ni->ij", t, δ - y[:, None, :], np.exp(-a) / (1 + np.exp(-a)) ** 2, x)
                )
            ),
        ),
        note=f"all is right but for 001.3; {WRONG_EXPONENT}",
    ),
    tg.Claim(
        "001.6",
        "the sum over all outputs k is an error; only the one output that contains θ_ij may appear: "
        "∂E/∂θ_ij = −Σ_n t_j^n (1 − y_j^n) · dz_j/da_j · x_i^n",
        readings={
            "the term k = j alone": dE_dθ(lambda t, y, dz_da, x: -np.einsum("nj,nj,nj,ni->ij", t, 1 - y, dz_da, x))
        },
        corrected=(
            "the sum over all k belongs there: ∂E/∂θ_ij = −Σ_n Σ_k t_k^n (δ_jk − y_j^n) · dz_j/da_j · x_i^n",
            dE_dθ(lambda t, δ, y, dz_da, x: -np.einsum("nk,nkj,nj,ni->ij", t, δ - y[:, None, :], dz_da, x)),
        ),
        note="no output is constant in θ_ij: z_j stands in the denominator of every y_k",
    ),
    tg.Claim(
        "001.7a",
        "σ' = e^{a}/(1 + e^{−a})² = 1/(1 + e^{−a}) · e^{a}/(1 + e^{−a}) = 1/(1 + e^{−a}) · (1 − 1/(1 + e^{−a}))",
        readings={
            "elementwise, each part against σ'": chain(
                dz_da(lambda a: np.exp(a) / (1 + np.exp(-a)) ** 2),
                dz_da(lambda a: 1 / (1 + np.exp(-a)) * np.exp(a) / (1 + np.exp(-a))),
                dz_da(lambda a: 1 / (1 + np.exp(-a)) * (1 - 1 / (1 + np.exp(-a)))),
            )
        },
        corrected=(
            "σ' = e^{−a}/(1 + e^{−a})² = 1/(1 + e^{−a}) · e^{−a}/(1 + e^{−a}) = 1/(1 + e^{−a}) · (1 − 1/(1 + e^{−a}))",
            chain(
                dz_da(lambda a: np.exp(-a) / (1 + np.exp(-a)) ** 2),
                dz_da(lambda a: 1 / (1 + np.exp(-a)) * np.exp(-a) / (1 + np.exp(-a))),
                dz_da(lambda a: 1 / (1 + np.exp(-a)) * (1 - 1 / (1 + np.exp(-a)))),
            ),
        ),
        note=f"the first two parts are wrong, the last is right; {WRONG_EXPONENT}",
    ),
    tg.Claim(
        "001.7b",
        "dz_j/da_j = σ(a_j)(1 − σ(a_j))",
        readings={"elementwise": dz_da(lambda a: σ(a) * (1 - σ(a)))},
    ),
    tg.Claim(
        "001.8",
        "this is for the final layer, for hidden layers this formula must be different",
        note="it is a remark that gives no formula",
    ),
]

# ----- Document 002: softmax by hand -----


def scores(rng):
    K, D = sizes(rng, 2)
    x, w, t = rng.normal(size=D), rng.normal(size=(K, D)), shares(rng, K)

    def f(w):  # any scores will do, of which each depends on its own weights w_i
        return np.sin(w @ x) + 0.5 * (w @ x)

    e = np.exp(f(w))[:, None]
    S = np.sum(e)
    SM = e / S
    df = np.einsum("iid->id", tg.jacobian(f)(w))  # f'_i, the gradient of f_i by w_i
    dŷ_dw = tg.jacobian(lambda w: softmax(f(w)))(w)
    return locals()


def at_every_i(rng):
    drawn = scores(rng)
    e_i, SM_i, df_i, S = drawn["e"], drawn["SM"], drawn["df"], drawn["S"]
    dŷ_i_dw_i = np.einsum("iid->id", drawn["dŷ_dw"])
    return locals()


def at_every_i_and_another_k(rng):
    drawn = scores(rng)
    i, k = np.nonzero(1 - np.eye(len(drawn["e"])))
    e_i, SM_i, S = drawn["e"][i], drawn["SM"][i], drawn["S"]
    e_k, SM_k, df_k = drawn["e"][k], drawn["SM"][k], drawn["df"][k]
    dŷ_i_dw_k = drawn["dŷ_dw"][i, k]
    return locals()


dŷ_i_dw_i = against(lambda dŷ_i_dw_i: dŷ_i_dw_i, at_every_i)
dŷ_i_dw_k = against(lambda dŷ_i_dw_k: dŷ_i_dw_k, at_every_i_and_another_k)
dL_dw = against(lambda f, w, t: tg.grad(lambda w: np.mean((softmax(f(w)) - t) ** 2))(w), scores)

DOCUMENT_002 = [
    tg.Claim(
        "002.1a",
        "∂ŷ_i/∂w_i = ( e^{f_i} f'_i S − e^{f_i} e^{f_i} f'_i ) / S²",
        readings={"f_i of its own weights": dŷ_i_dw_i(lambda e_i, df_i, S: (e_i * df_i * S - e_i * e_i * df_i) / S**2)},
    ),
    tg.Claim(
        "002.1b",
        "∂ŷ_i/∂w_i = f'_i e^{f_i}/S − (e^{f_i})²/S",
        readings={"f_i of its own weights": dŷ_i_dw_i(lambda e_i, df_i, S: df_i * e_i / S - e_i**2 / S)},
        corrected=(
            "∂ŷ_i/∂w_i = f'_i e^{f_i}/S − f'_i (e^{f_i})²/S²",
            dŷ_i_dw_i(lambda e_i, df_i, S: df_i * e_i / S - df_i * e_i**2 / S**2),
        ),
        note="the second term has lost its factor f'_i, and is divided by S instead of S²",
    ),
    tg.Claim(
        "002.1c",
        "∂ŷ_i/∂w_i = SM_i · (f'_i − SM_i)",
        readings={"f_i of its own weights": dŷ_i_dw_i(lambda SM_i, df_i: SM_i * (df_i - SM_i))},
        corrected=("∂ŷ_i/∂w_i = SM_i · (1 − SM_i) · f'_i", dŷ_i_dw_i(lambda SM_i, df_i: SM_i * (1 - SM_i) * df_i)),
        note="f'_i is a factor of both terms; here the second has lost it",
    ),
    tg.Claim(
        "002.2a",
        "∂ŷ_i/∂w_k = ( 0 − e^{f_i} e^{f_k} f'_k ) / S², k ≠ i",
        readings={"f_k of its own weights": dŷ_i_dw_k(lambda e_i, e_k, df_k, S: (0 - e_i * e_k * df_k) / S**2)},
    ),
    tg.Claim(
        "002.2b",
        "∂ŷ_i/∂w_k = e^{f_i}/S · f'_k e^{f_k}/S, k ≠ i",
        readings={"f_k of its own weights": dŷ_i_dw_k(lambda e_i, e_k, df_k, S: e_i / S * df_k * e_k / S)},
        corrected=(
            "∂ŷ_i/∂w_k = −e^{f_i}/S · f'_k e^{f_k}/S",
            dŷ_i_dw_k(lambda e_i, e_k, df_k, S: -e_i / S * df_k * e_k / S),
        ),
        note="the minus of 002.2a is lost",
    ),
    tg.Claim(
        "002.2c",
        "∂ŷ_i/∂w_k = SM_i · SM_k · f'_k, k ≠ i",
        readings={"f_k of its own weights": dŷ_i_dw_k(lambda SM_i, SM_k, df_k: SM_i * SM_k * df_k)},
        corrected=("∂ŷ_i/∂w_k = −SM_i · SM_k · f'_k", dŷ_i_dw_k(lambda SM_i, SM_k, df_k: -SM_i * SM_k * df_k)),
        note="the minus of 002.2a is lost",
    ),
    tg.Claim(
        "002.3",
        "∂L/∂w = ∂L/∂ŷ · ∂ŷ/∂w",
        readings={
            "L the mean squared error; summed over the outputs": dL_dw(
                lambda SM, t, dŷ_dw: np.einsum("i,ikd->kd", tg.grad(lambda y: np.mean((y - t) ** 2))(SM[:, 0]), dŷ_dw)
            )
        },
    ),
]

# ----- Document 003: a two-layer network in nine steps -----


def one_unit(rng):
    (D,) = sizes(rng, 1)
    W, x, t = rng.normal(size=D), rng.normal(size=D), rng.uniform(0.1, 1)

    def E(t, x):
        return -t * np.log(σ(W @ x))

    return locals()


def cross_entropy(t, y):
    return -np.sum(t * np.log(y))


def nine_steps(rng):
    """Draw the network for one example, its vectors columns."""
    D, M, K = sizes(rng, 3)
    x, W1, W2, t = rng.normal(size=D), rng.normal(size=(M, D)), rng.normal(size=(K, M)), shares(rng, K)
    λ = rng.uniform(0.1, 1)
    z1 = W1 @ x
    y1 = σ(z1)
    z2 = W2 @ y1
    y2 = softmax(z2)

    def E_of_z2(z2):
        return cross_entropy(t, softmax(z2))

    def E_of_W2(W2):
        return E_of_z2(W2 @ y1)

    def E_of_y1(y1):
        return E_of_z2(W2 @ y1)

    def E_of_z1(z1):
        return E_of_y1(σ(z1))

    def E_of_W1(W1):
        return E_of_z1(W1 @ x)

    return locals()


dE_dt = against(lambda E, t, x: tg.grad(E)(t, x), one_unit)
dE_dx = against(lambda E, t, x: tg.grad(E, argnums=1)(t, x), one_unit)
dy2_dz2 = against(lambda z2: tg.jacobian(softmax)(z2), nine_steps)
dE_dz2 = against(lambda E_of_z2, z2: tg.grad(E_of_z2)(z2), nine_steps)
dE_dy1 = against(lambda E_of_y1, y1: tg.grad(E_of_y1)(y1), nine_steps)
dE_dz1 = against(lambda E_of_z1, z1: tg.grad(E_of_z1)(z1), nine_steps)
by_W1 = against(lambda E_of_W1, W1: tg.grad(E_of_W1)(W1), nine_steps)
by_W2 = against(lambda E_of_W2, W2: tg.grad(E_of_W2)(W2), nine_steps)
dσ_dz = against(lambda z1: derivative(σ, z1), nine_steps)
dy1_dz1 = against(lambda z1: tg.jacobian(σ)(z1), nine_steps)
with_half_the_square = gradient_check(
    lambda E_of_W2, λ: lambda W2: E_of_W2(W2) + λ / 2 * np.sum(W2**2), "W2", nine_steps
)
with_the_square = gradient_check(lambda E_of_W2, λ: lambda W2: E_of_W2(W2) + λ * np.sum(W2**2), "W2", nine_steps)
as_printed = against(  # E = Σ_j −t_j log(y_i), at every i: ∂E_i/∂z_j
    lambda z2, t: tg.jacobian(lambda z: -np.sum(t) * np.log(softmax(z)))(z2), nine_steps
)


def sums_over_i(t, y2):
    """003.2b for each z_j, its sums running over i."""
    K = range(len(t))
    return np.array(
        [
            sum(-t[j] / y2[i] * y2[i] * (1 - y2[i]) for i in K if i == j)
            + sum(-t[j] / y2[i] * (-y2[i] * y2[j]) for i in K if i != j)
            for j in K
        ]
    )


def sums_over_j(t, y2):
    """003.2b for each z_i, its sums running over j."""
    K = range(len(t))
    return np.array(
        [
            sum(-t[j] / y2[i] * y2[i] * (1 - y2[i]) for j in K if i == j)
            + sum(-t[j] / y2[i] * (-y2[i] * y2[j]) for j in K if i != j)
            for i in K
        ]
    )


def without_sums(t, y2):
    """003.2b for each i and j, the E printed being one for each i."""
    return np.where(np.eye(len(t)) == 1, -t / y2 * y2 * (1 - y2), -t / y2[:, None] * (-y2[:, None] * y2))


def batch(rng):
    """Draw a batch for the network of the nine steps, one example a row."""
    m, D, M, K = sizes(rng, 4)
    x, W1, W2, t = rng.normal(size=(m, D)), rng.normal(size=(M, D)), rng.normal(size=(K, M)), shares(rng, m, K)

    def E_n(W1, W2, x, t):
        return cross_entropy(t, softmax(W2 @ σ(W1 @ x)))

    return m, x, W1, W2, t, E_n


def by_hand(W1, W2, x, t):
    """003.6 and 003.7, 003.4 for one example."""
    y1 = σ(W1 @ x)
    y2 = softmax(W2 @ y1)
    return np.outer((y2 - t) @ W2 @ np.diag(y1 * (1 - y1)), x), np.outer(y2 - t, y1)


def example_by_example(rng):
    m, x, W1, W2, t, E_n = batch(rng)
    for n in range(m):
        yield from zip(by_hand(W1, W2, x[n], t[n]), tg.grad(E_n, argnums=(0, 1))(W1, W2, x[n], t[n]), strict=True)


def summed_over_the_batch(rng):
    m, x, W1, W2, t, E_n = batch(rng)
    stated = [sum(of_n) for of_n in zip(*(by_hand(W1, W2, x[n], t[n]) for n in range(m)), strict=True)]
    mean = tg.grad(lambda W1, W2: sum(E_n(W1, W2, x[n], t[n]) for n in range(m)) / m, argnums=(0, 1))(W1, W2)
    yield from zip(stated, mean, strict=True)


DOCUMENT_003 = [
    tg.Claim("003.1a", "∂E/∂t = −log σ(Wx)", readings={"one unit": dE_dt(lambda W, x: -np.log(σ(W @ x)))}),
    tg.Claim(
        "003.1b",
        "∂E/∂x = −t · (1 + e^{−Wx}) · 1/(1 + e^{−Wx}) · (1 − 1/(1 + e^{−Wx})) · W",
        readings={
            "one unit": dE_dx(
                lambda t, W, x: (
                    -t * (1 + np.exp(-W @ x)) * 1 / (1 + np.exp(-W @ x)) * (1 - 1 / (1 + np.exp(-W @ x))) * W
                )
            )
        },
    ),
    tg.Claim(
        "003.1c",
        "∂E/∂x = −t · W · e^{e^{−Wx}} / (1 + e^{−Wx})",
        readings={"one unit": dE_dx(lambda t, W, x: -t * W * np.exp(np.exp(-W @ x)) / (1 + np.exp(-W @ x)))},
        corrected=(
            "∂E/∂x = −t · W · e^{−Wx} / (1 + e^{−Wx})",
            dE_dx(lambda t, W, x: -t * W * np.exp(-W @ x) / (1 + np.exp(-W @ x))),
        ),
        note="the numerator is e^{−Wx}, once: 1 − 1/(1 + e^{−Wx}) = e^{−Wx}/(1 + e^{−Wx})",
    ),
    tg.Claim(
        "003.2a",
        "∂y/∂z = y(1 − y) for i = j, −y_i y_j for i ≠ j",
        readings={"y_i by z_j": dy2_dz2(lambda y2: np.where(np.eye(len(y2)) == 1, y2 * (1 - y2), -np.outer(y2, y2)))},
    ),
    tg.Claim(
        "003.2b",
        "∂E/∂z2 = Σ_{i=j} −t_j/y_i · y_i(1 − y_i) + Σ_{i≠j} −t_j/y_i · (−y_i y_j)",
        readings={
            "for each z_j, the sums over i": dE_dz2(sums_over_i),
            "for each z_i, the sums over j": dE_dz2(sums_over_j),
            "E as printed, with log(y_i) at one i, by each z_j": as_printed(without_sums),
        },
        corrected=(
            "∂E/∂z2_j = Σ_{i=j} −t_i/y_i · y_i(1 − y_i) + Σ_{i≠j} −t_i/y_i · (−y_i y_j)",
            dE_dz2(
                lambda t, y2: np.array(
                    [
                        sum(-t[i] / y2[i] * y2[i] * (1 - y2[i]) for i in range(len(t)) if i == j)
                        + sum(-t[i] / y2[i] * (-y2[i] * y2[j]) for i in range(len(t)) if i != j)
                        for j in range(len(t))
                    ]
                )
            ),
        ),
        note="in the second sum the truth belongs to the output that is summed over: t_i/y_i, not t_j/y_i",
    ),
    tg.Claim(
        "003.2c",
        "∂E/∂z2 = −t(1 − y) + t·y",
        readings={
            "elementwise": dE_dz2(lambda t, y2: -t * (1 - y2) + t * y2),
            "t·y a scalar product": dE_dz2(lambda t, y2: -t * (1 - y2) + t @ y2),
        },
        corrected=(
            "∂E/∂z2_j = −t_j(1 − y_j) + y_j Σ_{i≠j} t_i",
            dE_dz2(lambda t, y2: -t * (1 - y2) + y2 * (np.sum(t) - t)),
        ),
        note="the second term is y_j times the truths of the other outputs, not t_j y_j",
    ),
    tg.Claim(
        "003.2d",
        "∂E/∂z2 = −t + y = (y2 − t), assume that the elements of t sum to 1",
        readings={"E with log(y_j) beside t_j": dE_dz2(lambda y2, t: -t + y2)},
    ),
    tg.Claim(
        "003.3",
        "∂E/∂y1 = (y2 − t)ᵀ W2",
        readings={"a row": dE_dy1(lambda y2, t, W2: (y2 - t).T @ W2)},
    ),
    tg.Claim(
        "003.4",
        "∂E/∂W2 = (y2 − t) y1ᵀ",
        readings={"a column times a row": by_W2(lambda y2, t, y1: np.outer(y2 - t, y1))},
    ),
    tg.Claim(
        "003.5a",
        "∂σ(z)/∂z = e^{−z}/(1 + e^{−z})² = σ(z)(1 − σ(z))",
        readings={
            "elementwise": chain(
                dσ_dz(lambda z1: np.exp(-z1) / (1 + np.exp(-z1)) ** 2),
                dσ_dz(lambda z1: σ(z1) * (1 - σ(z1))),
            )
        },
    ),
    tg.Claim(
        "003.5b",
        "∂y1/∂z1 = diag(y1 ⊙ (1 − y1))",
        readings={"y1 by z1": dy1_dz1(lambda y1: np.diag(y1 * (1 - y1)))},
    ),
    tg.Claim(
        "003.6",
        "∂E/∂z1 = (y2 − t)ᵀ W2 diag(y1 ⊙ (1 − y1))",
        readings={"a row": dE_dz1(lambda y2, t, W2, y1: (y2 - t).T @ W2 @ np.diag(y1 * (1 - y1)))},
    ),
    tg.Claim(
        "003.7",
        "∂E/∂W1 = ∂E/∂z1 · x",
        readings={
            "∂E/∂z1 as a column, x as a row": by_W1(lambda E_of_z1, z1, x: np.outer(tg.grad(E_of_z1)(z1), x)),
        },
    ),
    tg.Claim(
        "003.8",
        "for m > 1: the above for each example of the batch",
        readings={
            "each example by the E of its own": example_by_example,
            "summed over the batch, E with its 1/m": summed_over_the_batch,
        },
    ),
    tg.Claim(
        "003.9",
        "with L2 the partial derivatives are normalised also, by multiplying with λ and value of the W (λ·W)",
        readings={
            "∂E/∂W ⊙ λW, the penalty (λ/2)‖W‖²": with_half_the_square(
                lambda E_of_W2, W2, λ: tg.grad(E_of_W2)(W2) * (λ * W2)
            ),
            "∂E/∂W ⊙ λW, the penalty λ‖W‖²": with_the_square(lambda E_of_W2, W2, λ: tg.grad(E_of_W2)(W2) * (λ * W2)),
        },
        corrected=(
            "∂E/∂W + λW, the penalty (λ/2)‖W‖²",
            with_half_the_square(lambda E_of_W2, W2, λ: tg.grad(E_of_W2)(W2) + λ * W2),
        ),
        note="λW is added to the partial derivative, not multiplied with it",
    ),
]

# ----- Document 004: the four equations of backpropagation, costs, optimizers; columns are examples -----

ACTIVATIONS = [None, np.tanh, lambda z: np.log(1 + np.exp(z)), σ]
"""σ[1] … σ[L] of a network with L = 3 layers."""

L = 3


def columns(rng, m=None):
    *n, several = sizes(rng, L + 2)
    m = several if m is None else m
    W = [None, *(rng.normal(size=(n[l], n[l - 1])) for l in range(1, L + 1))]
    b = [None, *(rng.normal(size=(n[l], 1)) for l in range(1, L + 1))]
    A, Z, Y = [rng.normal(size=(n[0], m))], [None], rng.uniform(size=(n[L], m))
    for l in range(1, L + 1):
        Z.append(W[l] @ A[l - 1] + b[l])
        A.append(ACTIVATIONS[l](Z[l]))

    def C(a):  # that of 004.5, summed over the examples
        return 0.5 * np.sum((Y - a) ** 2)

    def C_of_A(l, a):
        return C(a) if l == L else C_of_Z(l + 1, W[l + 1] @ a + b[l + 1])

    def C_of_Z(l, z):
        return C_of_A(l, ACTIVATIONS[l](z))

    def C_of_b(l, b):
        return C_of_Z(l, W[l] @ A[l - 1] + b)

    def C_of_W(l, W):
        return C_of_Z(l, W @ A[l - 1] + b[l])

    # δ = ∂C/∂Z[l], as 004.1 to 004.4 need it (see 004.0), ∂C/∂A[l] and σ'(Z[l]), taken automatically
    δ = [None, *(tg.grad(C_of_Z, argnums=1)(l, Z[l]) for l in range(1, L + 1))]
    dA = [None, *(tg.grad(C_of_A, argnums=1)(l, A[l]) for l in range(1, L + 1))]
    dσ = [None, *(derivative(ACTIVATIONS[l], Z[l]) for l in range(1, L + 1))]
    b_L = b[L]
    return locals()


def layers(of_layer, last=L):
    """Return the values of a formula at layers 1 … last, one after another."""
    return np.concatenate([np.ravel(of_layer(l)) for l in range(1, last + 1)])


dC_dZ_L = against(lambda δ: δ[L], columns)
dC_dZ = against(lambda δ: layers(lambda l: δ[l], last=L - 1), columns)
dC_db = against(lambda C_of_b, b: layers(lambda l: tg.grad(C_of_b, argnums=1)(l, b[l])), columns)
dC_dW = against(lambda C_of_W, W: layers(lambda l: tg.grad(C_of_W, argnums=1)(l, W[l])), columns)
dC_db_L = gradient_check(lambda C_of_b: lambda b_L: C_of_b(L, b_L), "b_L", columns)
shape_of_Y = against(lambda A: np.array(A[L].shape), columns)
shape_of_Y_in_rows = against(lambda A: np.array(A[L].T.shape), columns)


def softmax_output(rng):
    (K,) = sizes(rng, 1)
    o, y = rng.normal(size=K), shares(rng, K)
    p = softmax(o)
    return locals()


def prediction(rng):
    (K,) = sizes(rng, 1)
    a, y = rng.uniform(0.1, 0.9, size=K), rng.uniform(size=K)
    return locals()


def without_itself(i, terms):
    """Σ_{k≠i}"""
    return sum(term for k, term in enumerate(terms) if k != i)


squared_error = gradient_check(lambda y: lambda a: 0.5 * np.sum((y - a) ** 2), "a", prediction)
binary_cross_entropy = gradient_check(
    lambda y: lambda a: np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)), "a", prediction
)
negated_binary_cross_entropy = gradient_check(
    lambda y: lambda a: -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)), "a", prediction
)
dσ_do = against(lambda o: tg.jacobian(softmax)(o), softmax_output)
dL_do = against(lambda o, y: tg.grad(lambda o: cross_entropy(y, softmax(o)))(o), softmax_output)


def three_steps(by_hand, rule):
    """Return the reading of an update rule: how far the parameter is after each of three steps."""

    def sides(rng):
        start = rng.normal(size=sizes(rng, 2))
        δW, α = rng.normal(size=(3, *start.shape)), rng.uniform(0.01, 0.1)
        zeros = [np.zeros(start.shape) for _ in rule.state]
        for step in by_hand, lambda W, δW, *state, α, t: rule.update(W, δW, *state, lr=α, t=t):
            W, state = start, zeros
            moved = []
            for t in (1, 2, 3):
                W, *state = step(W, δW[t - 1], *state, α=α, t=t)
                moved.append(W - start)
            yield np.stack(moved)

    return lambda rng: tuple(sides(rng))


β, β1, β2, ε = 0.8, 0.9, 0.999, 1e-8


def momentum(W, δW, V, α, t):
    V = β * V + (1 - β) * δW
    return W - α * V, V


def rmsprop(W, δW, S, α, t):
    S = β * S + (1 - β) * δW**2
    return W - α * δW / (np.sqrt(S) + ε), S


def adam(W, δW, V, S, α, t):
    V = β1 * V + (1 - β1) * δW
    S = β2 * S + (1 - β2) * δW**2
    V_hat, S_hat = V / (1 - β1**t), S / (1 - β2**t)
    return W - α * V_hat / (np.sqrt(S_hat) + ε), V, S


DOCUMENT_004 = [
    tg.Claim(
        "004.0",
        "δ^l ≡ δA^l, where δW ≡ ∂C/∂W",
        readings={
            "δ as 004.1 has it": against(lambda C, A, dσ: tg.grad(C)(A[L]) * dσ[L], columns)(lambda dA: dA[L]),
            "δ as 004.3 has it, one example": dC_db_L(lambda dA: dA[L], m=1),
        },
        corrected=("δ^l ≡ δZ^l = ∂C/∂Z^l", dC_db_L(lambda δ: δ[L], m=1)),
        note="∂C/∂A lacks the factor σ'(z) that 004.1 and 004.2 give δ and 004.3 and 004.4 need",
    ),
    tg.Claim(
        "004.1",
        "δ^L = ∇_a C ⊙ σ'(z^L)",
        readings={
            "σ elementwise": dC_dZ_L(lambda C, A, dσ: tg.grad(C)(A[L]) * dσ[L]),
            "σ a softmax, σ' its derivative by the unit's own z": dL_do(lambda y, p: -y / p * (p * (1 - p))),
        },
    ),
    tg.Claim(
        "004.2",
        "δ^l = ((w^{l+1})ᵀ δ^{l+1}) ⊙ σ'(z^l)",
        readings={
            "columns are examples": dC_dZ(
                lambda W, δ, dσ: layers(lambda l: (W[l + 1].T @ δ[l + 1]) * dσ[l], last=L - 1)
            )
        },
    ),
    tg.Claim(
        "004.3",
        "∂C/∂b^l_j = δ^l_j",
        readings={
            "one example": dC_db(lambda δ: layers(lambda l: δ[l]), m=1),
            "a batch, summed over its examples": dC_db(lambda δ: layers(lambda l: np.sum(δ[l], axis=1))),
        },
    ),
    tg.Claim(
        "004.4",
        "∂C/∂w^l_jk = a^{l−1}_k δ^l_j, in short ∂C/∂w = a_in δ_out",
        readings={
            "one example": dC_dW(lambda A, δ: layers(lambda l: np.outer(δ[l], A[l - 1])), m=1),
            "a batch, summed over its examples": dC_dW(
                lambda A, δ: layers(lambda l: np.einsum("km,jm->jk", A[l - 1], δ[l]))
            ),
        },
    ),
    tg.Claim(
        "004.5",
        "C = ½ Σ_j (y_j − a_j)², ∇_a C = a − y",
        readings={"one example": squared_error(lambda a, y: a - y)},
    ),
    tg.Claim(
        "004.6",
        "C = y log a + (1 − y) log(1 − a), ∇_a C = −y/a + (1 − y)/(1 − a)",
        readings={"summed over the outputs": binary_cross_entropy(lambda a, y: -y / a + (1 - y) / (1 - a))},
        corrected=(
            "C = −[ y log a + (1 − y) log(1 − a) ], ∇_a C = −y/a + (1 − y)/(1 − a)",
            negated_binary_cross_entropy(lambda a, y: -y / a + (1 - y) / (1 - a)),
        ),
        note="the gradient is that of −C; the cost lacks its minus",
    ),
    tg.Claim(
        "004.7",
        "C = −Σ_k p(k) log q(k)",
        note="it defines the cost; the place of its gradient is left blank",
    ),
    tg.Claim(
        "004.8",
        "∂σ_i/∂z_j = σ_i (δ_ij − σ_j)",
        readings={"σ_i by z_j": dσ_do(lambda p: p[:, None] * (np.eye(len(p)) - p))},
    ),
    tg.Claim(
        "004.9",
        "∂L/∂o_i = −y_i(1 − p_i) + Σ_{k≠i} y_k p_i = p_i Σ_k y_k − y_i = p_i − y_i",
        readings={
            "y sums to 1": chain(
                dL_do(lambda y, p: np.array([-y[i] * (1 - p[i]) + without_itself(i, y * p[i]) for i in range(len(y))])),
                dL_do(lambda y, p: p * np.sum(y) - y),
                dL_do(lambda y, p: p - y),
            )
        },
    ),
    tg.Claim(
        "004.10",
        "Y has the shape n_x × m",
        readings={
            "columns are examples": shape_of_Y(lambda A: np.array(A[0].shape)),
            "rows are examples": shape_of_Y_in_rows(lambda A: np.array(A[0].T.shape)),
        },
        corrected=("Y has the shape n[L] × m", shape_of_Y(lambda W, A: np.array([W[L].shape[0], A[0].shape[1]]))),
        note="C compares Y with A[L], which has a row for each unit of the last layer; n_x × m is the shape of X",
    ),
    tg.Claim(
        "004.11",
        "V ← βV + (1 − β) δW, W ← W − αV, V starts at 0",
        readings={"three steps of optim.Momentum": three_steps(momentum, optim.Momentum(beta=β))},
    ),
    tg.Claim(
        "004.12",
        "S ← βS + (1 − β) δW², W ← W − α δW/(√S + ε)",
        readings={"three steps of optim.RMSprop": three_steps(rmsprop, optim.RMSprop(beta=β, epsilon=ε))},
    ),
    tg.Claim(
        "004.13",
        "V, S as above with β1, β2; V̂ = V/(1 − β1^t), Ŝ = S/(1 − β2^t); W ← W − α V̂/(√Ŝ + ε); "
        "β1 = 0.9, β2 = 0.999, ε = 1e-8",
        readings={"three steps of optim.Adam": three_steps(adam, optim.Adam())},
    ),
]
