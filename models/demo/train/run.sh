#!/bin/bash
# The whole way from nothing to the model folder: data, tokenizer, training, evaluation, golden.
# usage: run.sh MODEL_DIR WORK_DIR [train.py arguments]   (MODEL_DIR holds chat_template.jinja)
set -euo pipefail
cd "$(dirname "$0")"
model=$1 work=$2
shift 2
python3 corpus.py --out "$work/data" --model "$model" --count "${CONVERSATIONS:-1600000}"
python3 train.py --data "$work/data" --out "$model" "$@"
python3 evaluate.py --model "$model" --out "$model"
python3 golden.py --model "$model"
