"""A llama-style decoder with norms on queries and keys, as llama.cpp computes it (`qwen3`, tied embeddings)."""

import json
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


PIECE = 128


class Norm(nn.Module):
    """RMSNorm."""

    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def turn(x, cos, sin):
    """Rotary positions on pairs of the two halves of a head, (0, n / 2), (1, n / 2 + 1), …: llama.cpp's `NEOX`."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), -1)


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width, ffn = shape["width"], shape["ffn"]
        self.heads = shape["heads"]
        self.attn_norm = Norm(width, shape["normEpsilon"])
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, width, bias=False)
        self.attn_v = nn.Linear(width, width, bias=False)
        # Without these norms the scores grow until softmax is saturated: names were never looked up in the text.
        self.attn_q_norm = Norm(width // self.heads, shape["normEpsilon"])
        self.attn_k_norm = Norm(width // self.heads, shape["normEpsilon"])
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = Norm(width, shape["normEpsilon"])
        self.ffn_gate = nn.Linear(width, ffn, bias=False)
        self.ffn_up = nn.Linear(width, ffn, bias=False)
        self.ffn_down = nn.Linear(ffn, width, bias=False)

    def attention(self, x, cos, sin):
        rows, length, width = x.shape
        split = lambda y: y.view(rows, length, self.heads, -1).transpose(1, 2)
        q = turn(self.attn_q_norm(split(self.attn_q(x))), cos, sin)
        k = turn(self.attn_k_norm(split(self.attn_k(x))), cos, sin)
        v = split(self.attn_v(x))
        scale = 1 / math.sqrt(width // self.heads)
        out = []
        # Queries in pieces: only the keys up to a piece's end are multiplied.
        for start in range(0, length, PIECE):
            end = min(length, start + PIECE)
            later = torch.full((end - start, end), float("-inf")).triu(start + 1)
            scores = (q[:, :, start:end] * scale) @ k[:, :, :end].transpose(-1, -2) + later
            out.append(scores.softmax(-1) @ v[:, :, :end])
        mixed = torch.cat(out, 2).transpose(1, 2).reshape(rows, length, width)
        return self.attn_output(mixed)

    def forward(self, x, cos, sin):
        x = x + self.attention(self.attn_norm(x), cos, sin)
        y = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(y)) * self.ffn_up(y))


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape["vocabulary"], shape["width"])
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape["layers"]))
        self.output_norm = Norm(shape["width"], shape["normEpsilon"])
        for name, weights in self.named_parameters():
            if weights.dim() == 2:
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weights, std=0.02 / (math.sqrt(2 * shape["layers"]) if last else 1))
        head = shape["width"] // shape["heads"]
        speeds = shape["ropeBase"] ** (-torch.arange(0, head, 2) / head)
        angles = torch.arange(shape["context"])[:, None] * speeds
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def hidden(self, tokens):
        """The state behind the last norm, for each token."""
        x = self.token_embd(tokens)
        cos, sin = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]
        for block in self.blk:
            # Of a long row the scores of all layers do not fit into memory at once.
            if tokens.shape[1] > 1024 and self.training:
                x = checkpoint(block, x, cos, sin)
            else:
                x = block(x, cos, sin)
        return self.output_norm(x)

    def logits(self, hidden):
        return hidden @ self.token_embd.weight.T


def read_shape(folder):
    with open(f"{folder}/shape.json", encoding="utf-8") as file:
        return json.load(file)
