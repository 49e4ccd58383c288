"""Trains the demo model on a CPU: train.py FOLDER MINUTES

FOLDER holds what prepare.ts wrote. A checkpoint in it is taken up where SIGTERM stopped it; the weights go to
FOLDER/weights.bin and the log to FOLDER/log.txt.
"""

import json
import os
import signal
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from initial import set_up
from model import Model, read_shape
from optimizer import Muon

# Tokens in a batch, at most, unless one document alone has more.
BATCH = 2048
# Documents that are sorted by length to be put together.
WINDOW = 256
# One step in so many has one document of the whole context.
LONG_EVERY = 48
NOT_LEARNED = -100
WARM_UP = 40
MATRIX_RATE = 0.015
OTHER_RATE = 0.002
# The share of the time at whose end the rates fall to zero.
FALL = 0.5
SAVE_EVERY_SECONDS = 120


class Batches:
    """Batches of documents of about the same length, the rest filled up; each document is seen alone."""

    def __init__(self, folder, name):
        tokens = np.fromfile(f"{folder}/{name}.tokens", np.uint16).astype(np.int64)
        learned = np.fromfile(f"{folder}/{name}.learned", np.uint8).astype(bool)
        ends = np.cumsum(np.fromfile(f"{folder}/{name}.lengths", np.uint32).astype(np.int64))
        targets = np.where(learned, tokens, NOT_LEARNED)
        self.documents = list(zip(np.split(tokens, ends[:-1]), np.split(targets, ends[:-1])))
        self.plan = []
        shuffle = np.random.default_rng(1).permutation
        for start in range(0, len(self.documents), WINDOW):
            window = range(start, min(len(self.documents), start + WINDOW))
            batches = [[]]
            for index in sorted(window, key=lambda i: len(self.documents[i][0])):
                if (len(batches[-1]) + 1) * len(self.documents[index][0]) > BATCH and batches[-1]:
                    batches.append([])
                batches[-1].append(index)
            self.plan += [batches[i] for i in shuffle(len(batches))]
        self.next = 0

    def batch(self):
        """Tokens and, for each, the token that is to come behind it."""
        members = [self.documents[i] for i in self.plan[self.next % len(self.plan)]]
        self.next += 1
        longest = max(len(tokens) for tokens, _ in members)
        inputs = np.zeros((len(members), longest - 1), np.int64)
        outputs = np.full((len(members), longest - 1), NOT_LEARNED, np.int64)
        for row, (tokens, targets) in enumerate(members):
            inputs[row, : len(tokens) - 1] = tokens[:-1]
            outputs[row, : len(tokens) - 1] = targets[1:]
        return torch.from_numpy(inputs), torch.from_numpy(outputs)


def loss_of(model, batch):
    tokens, targets = batch
    chosen = targets != NOT_LEARNED
    # Products of bf16 matrices take less than half the time where the processor has them, and give the same loss.
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=model.training):
        logits = model.logits(model.hidden(tokens)[chosen])
    return F.cross_entropy(logits.float(), targets[chosen])


@torch.no_grad()
def held_out_loss(model, folder):
    """The mean loss of a learned token that was not in training, in nats."""
    model.eval()
    batches = Batches(folder, "held-out")
    total, count = 0.0, 0
    for _ in batches.plan:
        batch = batches.batch()
        size = int((batch[1] != NOT_LEARNED).sum())
        total += loss_of(model, batch).item() * size
        count += size
    model.train()
    return total / count


def write_weights(model, folder):
    """All tensors as f32 in one file, and where each begins."""
    index, offset = [], 0
    with open(f"{folder}/weights.bin", "wb") as file:
        for name, weights in model.named_parameters():
            file.write(weights.detach().numpy().astype("<f4").tobytes())
            index.append({"name": name, "shape": list(weights.shape), "offset": offset})
            offset += 4 * weights.numel()
    with open(f"{folder}/weights.json", "w", encoding="utf-8") as file:
        json.dump(index, file)


def main(folder, minutes):
    torch.manual_seed(1)
    # Two threads wait for each other at every step where cores are shared.
    torch.set_num_threads(1)
    model = Model(read_shape(folder))
    set_up(model)
    inner = [weights for name, weights in model.named_parameters() if name.startswith("blk.") and weights.dim() == 2]
    known = {id(weights) for weights in inner}
    others = [weights for weights in model.parameters() if id(weights) not in known]
    optimizers = [
        (Muon(inner, MATRIX_RATE), MATRIX_RATE),
        (torch.optim.AdamW(others, OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0), OTHER_RATE),
    ]
    short, long = Batches(folder, "train"), Batches(folder, "long")
    step, seconds, seen = 0, 0.0, 0
    saved = f"{folder}/checkpoint.pt"
    if os.path.exists(saved):
        state = torch.load(saved)
        model.load_state_dict(state["model"])
        for (optimizer, _), own in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(own)
        step, seconds, seen, short.next, long.next = state["at"]

    def save():
        state = {
            "model": model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer, _ in optimizers],
            "at": (step, seconds, seen, short.next, long.next),
        }
        torch.save(state, f"{saved}.new")
        os.replace(f"{saved}.new", saved)

    log = open(f"{folder}/log.txt", "a", encoding="utf-8")

    def say(text):
        print(text, file=log, flush=True)
        print(text, flush=True)

    if step == 0:
        say(f"{sum(weights.numel() for weights in model.parameters())} parameters, {len(short.documents)} documents")
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    last_save, running = seconds, None
    while seconds < 60 * minutes and not stopping:
        begun = time.monotonic()
        progress = seconds / (60 * minutes)
        rate = min(1, (step + 1) / WARM_UP, (1 - progress) / FALL)
        for optimizer, full in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = full * rate
        is_long = step % LONG_EVERY == LONG_EVERY - 1
        batch = (long if is_long else short).batch()
        loss = loss_of(model, batch)
        loss.backward()
        for optimizer, _ in optimizers:
            optimizer.step()
        model.zero_grad(set_to_none=True)
        step += 1
        seen += batch[0].numel()
        # A process that was stopped meanwhile has not worked for that long.
        seconds += min(time.monotonic() - begun, 30)
        running = loss.item() if running is None else 0.95 * running + 0.05 * loss.item()
        if step % 50 == 0:
            say(f"step {step}  {seconds / 60:.1f} min  {seen} tokens  loss {running:.4f}")
        if seconds - last_save > SAVE_EVERY_SECONDS:
            save()
            write_weights(model, folder)
            last_save = seconds
    save()
    write_weights(model, folder)
    if stopping:
        sys.exit(1)
    say(f"step {step}  {seconds / 60:.1f} min  {seen} tokens  held-out loss {held_out_loss(model, folder):.4f}")


main(sys.argv[1], float(sys.argv[2]))
