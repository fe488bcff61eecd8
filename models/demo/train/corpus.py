"""Writes the training data: conversations from dialogue.py as token ids with a mask over the answers.

    python3 corpus.py --show 20                      print conversations
    python3 corpus.py --out DIR --model DIR          tokenizer (if missing) and shards
"""

import argparse
import multiprocessing
import pathlib
import random

import dialogue
import tokens

LONG_SHARE, RAW_SHARE, CONTEXT = 0.012, 0.015, 2048


def sample(r):
    """A rendered text, and whether it is a bare one without roles."""
    p = r.random()
    if p < RAW_SHARE:
        return dialogue.raw_text(r) + "<|endoftext|>", True
    if p < RAW_SHARE + LONG_SHARE:
        return tokens.render(dialogue.conversation(r, target_chars=r.randrange(1500, 7500))[0]), False
    return tokens.render(dialogue.conversation(r)[0]), False


def _shard(job):
    import numpy as np
    from tokenizers import Tokenizer

    seed, count, model, out = job
    r = random.Random(seed)
    tokenizer = Tokenizer.from_file(str(pathlib.Path(model) / "tokenizer.json"))
    header = tokenizer.encode("assistant\n").ids
    ids_all, mask_all, lengths = [], [], []
    for start in range(0, count, 1000):
        batch = [sample(r) for _ in range(min(1000, count - start))]
        for (_, raw), encoding in zip(batch, tokenizer.encode_batch([t for t, _ in batch])):
            ids = encoding.ids[:CONTEXT]
            ids_all.append(np.array(ids, dtype=np.uint16))
            mask_all.append(np.ones(len(ids), dtype=np.uint8) if raw
                            else np.frombuffer(bytes(tokens.answer_mask(ids, header)), dtype=np.uint8))
            lengths.append(len(ids))
    np.savez(pathlib.Path(out) / f"shard{seed}.npz", ids=np.concatenate(ids_all), mask=np.concatenate(mask_all),
             lengths=np.array(lengths, dtype=np.int32))
    return count, int(sum(lengths))


def build(out, model, count, seed, workers):
    """Tokenizer from a first sample, then shards by several processes."""
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    if not (pathlib.Path(model) / "tokenizer.json").exists():
        r = random.Random(seed)
        tokens.train_tokenizer((sample(r)[0] for _ in range(120_000)), model)
    jobs = [(seed * 1000 + i, count // (workers * 4), str(model), str(out)) for i in range(workers * 4)]
    with multiprocessing.Pool(workers) as pool:
        done = pool.map(_shard, jobs, chunksize=1)
    return sum(d[0] for d in done), sum(d[1] for d in done)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", type=int)
    parser.add_argument("--out")
    parser.add_argument("--model", default="..")
    parser.add_argument("--count", type=int, default=1_600_000)
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--workers", type=int, default=16)
    args = parser.parse_args()
    if args.show:
        r = random.Random(args.seed)
        for _ in range(args.show):
            print(sample(r)[0] + "\n")
    else:
        print("conversations, tokens:", build(args.out, args.model, args.count, args.seed, args.workers))


if __name__ == "__main__":
    main()
