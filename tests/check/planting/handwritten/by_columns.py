"""Examples are columns: X is n × m, W is out × in, b is out × 1, as in document 004."""

import numpy as np


def softmax(S):
    E = np.exp(S - S.max(axis=0, keepdims=True))
    return E / E.sum(axis=0, keepdims=True)


def sigmoid(S):
    return 1 / (1 + np.exp(-S))


def forward(Ws, bs, p):
    A, Z, H = [], [], [p.X]
    for layer in range(len(Ws)):
        A.append(Ws[layer] @ H[layer] + bs[layer])
        Z.append(p.unit(A[layer]))
        H.append(Z[layer])
    return A, Z, H


def output_error(S, p):
    if p.cost == "cross-entropy":
        return softmax(S) - p.T
    if p.cost == "binary cross-entropy":
        return sigmoid(S) - p.T
    if p.output == "softmax":
        Y = softmax(S)
        D = p.factor * (Y - p.T)
        return Y * (D - (D * Y).sum(axis=0, keepdims=True))
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
    for layer in reversed(range(len(Ws))):
        dWs[layer] = delta @ H[layer].T + p.sense * p.decay * Ws[layer]
        dbs[layer] = delta.sum(axis=1, keepdims=True) + p.sense * p.bias_decay * bs[layer]
        if layer > 0:
            back = Ws[layer].T @ delta
            delta = back * p.derivative(A[layer - 1], Z[layer - 1])
    return dWs, dbs
