"""Examples are rows that begin with a 1, and the first column of W is the bias, as in document 000."""

import numpy as np


def softmax(S):
    E = np.exp(S - S.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def sigmoid(S):
    return 1 / (1 + np.exp(-S))


def with_ones(H):
    return np.concatenate([np.ones((len(H), 1), H.dtype), H], axis=1)


def forward(Ws, p):
    A, Z, H = [], [], [with_ones(p.X)]
    for layer in range(len(Ws)):
        A.append(H[layer] @ Ws[layer].T)
        Z.append(p.unit(A[layer]))
        H.append(with_ones(Z[layer]))
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


def penalised(W, p):
    counted = W.copy()
    if p.bias_decay == 0:
        counted[:, 0] = 0
    return counted


def gradient(Ws, p):
    A, Z, H = forward(Ws, p)
    delta = p.sense * output_error(A[-1], p) / p.divisor
    dWs = [None] * len(Ws)
    for layer in reversed(range(len(Ws))):
        dWs[layer] = delta.T @ H[layer] + p.sense * p.decay * penalised(Ws[layer], p)
        if layer > 0:
            back = delta @ Ws[layer][:, 1:]
            delta = back * p.derivative(A[layer - 1], Z[layer - 1])
    return dWs
