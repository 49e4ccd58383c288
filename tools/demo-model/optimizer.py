"""Muon for the matrices inside the blocks, AdamW for everything else."""

import torch


def orthogonal(matrices):
    """The nearest orthogonal matrices, about, by five Newton-Schulz steps (Jordan et al., "Muon", 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)).bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.transpose(-2, -1)
    for _ in range(5):
        square = x @ x.transpose(-2, -1)
        x = a * x + (b * square + c * square @ square) @ x
    return (x.transpose(-2, -1) if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal. Matrices of one shape are updated together."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for weights in group["params"]:
                shapes.setdefault(weights.shape, []).append(weights)
            for (rows, columns), members in shapes.items():
                updates = []
                for weights in members:
                    state = self.state[weights]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(weights)
                    state["momentum"].lerp_(weights.grad, 1 - group["momentum"])
                    updates.append(weights.grad.lerp(state["momentum"], group["momentum"]))
                stacked = orthogonal(torch.stack(updates)) * max(1, rows / columns) ** 0.5
                for weights, update in zip(members, stacked):
                    weights.mul_(1 - group["lr"] * group["weight_decay"])
                    weights.add_(update, alpha=-group["lr"])
