"""Says whether a server computes what PyTorch computes: parity.py FOLDER URL

The server has to serve the weights of FOLDER, exported as f32. Prompts are compared by the log probabilities of
their best next tokens, and by what follows them greedily.
"""

import json
import sys
import urllib.request

import numpy as np
import torch

from model import Model, read_shape

PROMPTS = 6
GREEDY = 24
TOP = 5
# Weights are the same; the order of additions, and f16 keys and values, are not.
TOLERANCE = 0.1


def load(folder):
    model = Model(read_shape(folder)).eval()
    weights = np.fromfile(f"{folder}/weights.bin", "<f4")
    with open(f"{folder}/weights.json", encoding="utf-8") as file:
        index = json.load(file)
    state = {
        each["name"]: torch.from_numpy(weights[each["offset"] // 4 :][: int(np.prod(each["shape"]))]).view(each["shape"])
        for each in index
    }
    model.load_state_dict(state)
    return model


def ask(url, tokens):
    body = {
        "input_ids": tokens,
        "sampling_params": {"temperature": 0, "max_new_tokens": GREEDY, "ignore_eos": True},
        "return_logprob": True,
        "top_logprobs_num": TOP,
    }
    request = urllib.request.Request(
        f"{url}/generate", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


@torch.no_grad()
def main(folder, url):
    model = load(folder)
    tokens = np.fromfile(f"{folder}/held-out.tokens", np.uint16)
    worst = 0.0
    for prompt in range(PROMPTS):
        ids = [int(token) for token in tokens[prompt * 700 : prompt * 700 + 40 + 100 * prompt]]
        answer = ask(url, ids)["meta_info"]
        generated = [token for _, token, *_ in answer["output_token_logprobs"]]
        for step, top in enumerate(answer["output_top_logprobs"]):
            hidden = model.hidden(torch.tensor([ids + generated[:step]]))[0, -1]
            own = (model.logits(hidden) * model.shape["sharpness"]).log_softmax(-1)
            worst = max(worst, *(abs(own[token].item() - value) for value, token, *_ in top))
        print(f"prompt of {len(ids)} tokens: {GREEDY} steps, largest difference so far {worst:.5f}")
    if worst > TOLERANCE:
        sys.exit(f"The log probabilities differ by up to {worst:.3f}.")


main(sys.argv[1], sys.argv[2])
