#!/bin/sh
# Makes models/demo.gguf from nothing: make.sh FOLDER [MINUTES]
# FOLDER takes the corpus and the checkpoints; a training that was interrupted is taken up.
# Needs what `npm start` needs, and Python 3 with PyTorch and NumPy (Debian: python3-torch, and libopenblas0 for its speed).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?Usage: make.sh FOLDER [MINUTES]}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
# The project's own Node.js, with everything that the evaluation serves with.
run() { node "$here/../../scripts/ready.mjs" "$@"; }
[ -f "$folder/shape.json" ] || run "$here/prepare.ts" "$folder" 12
"${PYTHON:-python3}" "$here/train.py" "$folder" "${2:-60}"
run "$here/export.ts" "$folder" "$here/../../models/demo.gguf"
cp "$folder/log.txt" "$here/training.txt"
run "$here/evaluate.ts" > "$folder/evaluation.txt"
run "$here/evaluate.ts" --temperature 1 >> "$folder/evaluation.txt"
cp "$folder/evaluation.txt" "$here/evaluation.txt"
