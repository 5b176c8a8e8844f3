"""Examples are rows: X is m × n, W is out × in, b a vector; some layers drop units, some add their input."""

import numpy as np


def softmax(S):
    E = np.exp(S - S.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def sigmoid(S):
    return 1 / (1 + np.exp(-S))


def forward(Ws, bs, p):
    A, Z, H = [], [], [p.X]
    for layer in range(len(Ws)):
        A.append(H[layer] @ Ws[layer].T + bs[layer])
        Z.append(p.unit(A[layer]))
        kept = Z[layer] * p.masks[layer]
        H.append(kept + H[layer] if p.skips[layer] else kept)
    return A, Z, H


def output_error(S, p):
    if p.cost == "cross-entropy":
        return softmax(S) - p.T
    if p.cost == "binary cross-entropy":
        return sigmoid(S) - p.T
    if p.output == "softmax":
        Y = softmax(S)
        D = p.factor * (Y - p.T)
        return Y * (D - (D * Y).sum(axis=1, keepdims=True))
    if p.output == "sigmoid":
        Y = sigmoid(S)
        return p.factor * (Y - p.T) * (Y * (1 - Y))
    if p.output == "tanh":
        Y = np.tanh(S)
        return p.factor * (Y - p.T) * (1 - Y**2)
    return p.factor * (S - p.T)


def gradient(Ws, bs, p):
    A, Z, H = forward(Ws, bs, p)
    delta = p.sense * output_error(A[-1], p) / p.divisor
    dWs, dbs = [None] * len(Ws), [None] * len(Ws)
    through = 0.0
    for layer in reversed(range(len(Ws))):
        dWs[layer] = delta.T @ H[layer] + p.sense * p.decay * Ws[layer]
        dbs[layer] = delta.sum(axis=0) + p.sense * p.bias_decay * bs[layer]
        if layer > 0:
            back = delta @ Ws[layer] + through
            delta = back * p.masks[layer - 1] * p.derivative(A[layer - 1], Z[layer - 1])
            through = back if p.skips[layer - 1] else 0.0
    return dWs, dbs
