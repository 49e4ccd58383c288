#!/bin/sh
# Makes models/demo.gguf from nothing: make.sh FOLDER [MINUTES]
# FOLDER takes the corpus and the checkpoints; a training that was interrupted is taken up.
# Needs Node.js 22.18, and Python 3 with PyTorch and NumPy (Debian: python3-torch, and libopenblas0 for its speed).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
[ -f "$folder/shape.json" ] || node "$here/prepare.ts" "$folder"
"${PYTHON:-python3}" "$here/train.py" "$folder" "${2:-38}"
node "$here/export.ts" "$folder" "$here/../../models/demo.gguf"
cp "$folder/log.txt" "$here/training.txt"
{ node "$here/evaluate.ts"; node "$here/evaluate.ts" --temperature 1; } > "$here/evaluation.txt"
