"""First weights that can already look things up.

A small model takes millions of tokens to find out that the word to come may stand in the text before it. So it starts
with what it would find: heads that fetch the token before each one, heads that look for the place where the present
token stood before and copy what came behind it (induction), and heads whose output is the token they look at.
"""

import torch

# The scores of a head whose queries and keys point the same way.
SHARPNESS = 2.0
# What a copying head adds to the residual stream, about as much as the embedding that is there.
COPY = 0.12
EMBEDDING = 0.05
# Pairs of dimensions that turn by so much a token that neighbours differ.
FAST = 3


def orthonormal(rows, columns):
    return torch.linalg.qr(torch.randn(columns, rows))[0].T


class Head:
    """The rows and columns of one head in a block's matrices."""

    def __init__(self, block, index, size):
        part = slice(index * size, (index + 1) * size)
        self.q = block.attn_q.weight[part]
        self.k = block.attn_k.weight[part]
        self.v = block.attn_v.weight[part]
        self.out = block.attn_output.weight[:, part]

    def copies(self):
        """What it looks at is what it writes."""
        self.v.copy_(orthonormal(*self.v.shape))
        self.out.copy_(COPY * self.v.T)


@torch.no_grad()
def set_up(model):
    shape = model.shape
    size = shape["width"] // shape["heads"]
    first = model.blk[0]
    for block in model.blk:
        block.attn_q_norm.weight.fill_(SHARPNESS)
        block.attn_k_norm.weight.fill_(SHARPNESS)
    # All embeddings have one direction in common; it is what a head by position alone can see.
    common = torch.randn(shape["width"])
    model.token_embd.weight.copy_(EMBEDDING * (torch.randn_like(model.token_embd.weight) + 0.5 * common))

    # The token before: a query and a key that do not depend on the token, and fit best at a distance of 1.
    previous = Head(first, 0, size)
    half = size // 2
    query = torch.zeros(size)
    query[:FAST], query[half : half + FAST] = torch.randn(2, FAST)
    key = query.clone()
    cos, sin = model.cos[1], model.sin[1]
    key[:half], key[half:] = query[:half] * cos - query[half:] * sin, query[:half] * sin + query[half:] * cos
    previous.q.copy_(torch.outer(query, common) / common.norm())
    previous.k.copy_(torch.outer(key, common) / common.norm())
    previous.v.copy_(orthonormal(*previous.v.shape))
    previous.out.copy_(COPY * orthonormal(*previous.v.shape).T)

    # Pairs that turn slowly, so that the distance between query and key hardly matters.
    slow = torch.zeros(size, 1)
    slow[half // 2 : half] = 1
    slow[half + half // 2 :] = 1
    for number, block in enumerate(model.blk):
        if number == 0:
            continue
        induction = Head(block, 0, size)
        induction.q.copy_(slow * previous.v)
        induction.k.copy_(slow * previous.out.T)
        induction.copies()
        Head(block, 1, size).copies()
        Head(block, 2, size).copies()
