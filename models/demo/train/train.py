"""Trains the demo model on the shards of corpus.py and exports it.

    python3 train.py --data DIR --model DIR --steps N --out DIR      (or --seconds S: as many steps as fit)
"""

import argparse
import csv
import math
import pathlib
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

import model as demo

BUCKETS = (64, 160, 512, 2048)


def load(folder, device):
    """For each bucket length the padded ids and masks, on the device."""
    rows = {b: ([], []) for b in BUCKETS}
    for path in sorted(pathlib.Path(folder).glob("shard*.npz")):
        data = np.load(path)
        ids, mask, lengths = data["ids"], data["mask"], data["lengths"]
        ends = np.cumsum(lengths)
        starts = ends - lengths
        low = 0
        for bucket in BUCKETS:
            chosen = np.nonzero((lengths > low) & (lengths <= bucket))[0]
            low = bucket
            if len(chosen) == 0:
                continue
            at = starts[chosen, None] + np.arange(bucket)[None, :]
            inside = np.arange(bucket)[None, :] < lengths[chosen, None]
            at = np.minimum(at, len(ids) - 1)
            rows[bucket][0].append(np.where(inside, ids[at], 0).astype(np.int16))
            rows[bucket][1].append(np.where(inside, mask[at], 0).astype(np.uint8))
    return {b: (torch.from_numpy(np.concatenate(i)).to(device), torch.from_numpy(np.concatenate(m)).to(device))
            for b, (i, m) in rows.items() if i}


def loss_of(hidden, embed, targets, mask):
    """Mean cross-entropy over the answer tokens."""
    logits = F.linear(hidden, embed.to(hidden.dtype)).float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    mask = mask.flatten().float()
    return (losses * mask).sum() / mask.sum().clamp(min=1.0)


class CapturedStep:
    """One optimizer step on a fixed batch shape as a CUDA graph: the kernels are small, and launching them one by one
    costs more time than running them."""

    def __init__(self, step, rows, length, device):
        self.ids = torch.zeros((rows, length), dtype=torch.long, device=device)
        self.mask = torch.ones((rows, length), dtype=torch.uint8, device=device)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step(self.ids, self.mask)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = step(self.ids, self.mask)

    def __call__(self, ids, mask):
        self.ids.copy_(ids)
        self.mask.copy_(mask)
        self.graph.replay()
        return self.loss


def load_checkpoint(net, folder):
    """The float32 copy of exported weights, to go on from."""
    from safetensors.torch import load_file

    tensors = load_file(str(pathlib.Path(folder) / "model.safetensors"))
    with torch.no_grad():
        net.embed.copy_(tensors["model.embed_tokens.weight"])
        net.norm.copy_(tensors["model.norm.weight"])
        for i, b in enumerate(net.blocks):
            get = lambda name: tensors[f"model.layers.{i}.{name}.weight"]
            b.qkv.copy_(torch.cat([get(f"self_attn.{n}_proj") for n in "qkv"]))
            b.o.copy_(get("self_attn.o_proj"))
            b.gate_up.copy_(torch.cat([get("mlp.gate_proj"), get("mlp.up_proj")]))
            b.down.copy_(get("mlp.down_proj"))
            b.input_layernorm.copy_(get("input_layernorm"))
            b.post_attention_layernorm.copy_(get("post_attention_layernorm"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--batch-tokens", type=int, default=32768)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--init", help="a model folder to go on from")
    parser.add_argument("--no-graphs", action="store_true", help="launch every kernel by itself")
    parser.add_argument("--seed", type=int, default=20261120)
    args = parser.parse_args()
    began = time.time()
    device = "cuda"
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    r = random.Random(args.seed)
    net = demo.DemoModel().to(device)
    if args.init:
        load_checkpoint(net, args.init)
    print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
    data = load(args.data, device)
    held = {}
    for b in data:
        count = max(8, min(1000, len(data[b][0]) // 50))
        held[b] = (data[b][0][:count], data[b][1][:count])
        data[b] = (data[b][0][count:], data[b][1][count:])
    sizes = {b: len(v[0]) for b, v in data.items()}
    weights = [b * sizes[b] for b in data]
    print("loaded", sizes, "in", round(time.time() - began, 1), "s", flush=True)

    for block in net.blocks:
        block.compile(dynamic=False)
    compiled_loss = torch.compile(loss_of, dynamic=False)
    demo.embed = torch.compile(demo.embed, dynamic=False)
    matrices = [p for p in net.parameters() if p.dim() == 2 and p is not net.embed]
    others = [p for p in net.parameters() if p.dim() == 1 or p is net.embed]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
                                  lr=torch.zeros((), device=device), betas=(0.9, 0.95), eps=1e-9, fused=True,
                                  capturable=True)
    rates = [group["lr"] for group in optimizer.param_groups]
    orders, cursors = {}, {b: 0 for b in data}

    def batch(bucket):
        rows = args.batch_tokens // bucket
        if bucket not in orders or cursors[bucket] + rows > sizes[bucket]:
            orders[bucket] = torch.randperm(sizes[bucket], device=device)
            cursors[bucket] = 0
        index = orders[bucket][cursors[bucket]:cursors[bucket] + rows]
        if len(index) < rows:
            index = torch.randint(sizes[bucket], (rows,), device=device)
        cursors[bucket] += rows
        return data[bucket][0][index].long(), data[bucket][1][index]

    def loss_on(ids, mask):
        return compiled_loss(net(ids)[:, :-1].contiguous(), net.embed, ids[:, 1:].contiguous(), mask[:, 1:].contiguous())

    def update(ids, mask):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_on(ids, mask)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    updates = {b: update for b in data}

    def step(bucket, rate):
        for r_ in rates:
            r_.fill_(rate)
        return updates[bucket](*batch(bucket))

    for bucket in data:
        step(bucket, 0.0)
    if not args.no_graphs:
        for bucket in data:
            updates[bucket] = CapturedStep(update, args.batch_tokens // bucket, bucket, device)
        for state in optimizer.state.values():
            for value in state.values():
                value.zero_()
    torch.cuda.synchronize()
    print("compiled after", round(time.time() - began, 1), "s", flush=True)
    begin = time.time()
    for _ in range(40):
        step(r.choices(list(data), weights)[0], 1e-6)
    torch.cuda.synchronize()
    per_step = (time.time() - begin) / 40
    steps = args.steps or int(args.seconds / per_step)
    print(f"{per_step * 1000:.2f} ms a step, {steps} steps", flush=True)

    warmup = min(300, steps // 10)
    log, sums, begin = [], torch.zeros((), device=device), time.time()
    every = max(1, min(100, steps // 20))
    for i in range(steps):
        rate = args.rate * min(1.0, (i + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * i / steps))
        sums += step(r.choices(list(data), weights)[0], rate)
        if (i + 1) % every == 0:
            mean = (sums / every).item()
            sums.zero_()
            log.append((i + 1, round(mean, 5)))
            if (i + 1) % (every * 10) == 0:
                print(f"step {i + 1} loss {mean:.4f} {time.time() - begin:.0f} s", flush=True)
            if not math.isfinite(mean):
                raise SystemExit("the loss is not finite; lower --rate")
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    demo.export(net, out)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.to(torch.bfloat16))
        total, count = 0.0, 0
        for bucket, (ids, mask) in held.items():
            rows = args.batch_tokens // bucket
            for s in range(0, len(ids) - len(ids) % rows or len(ids), rows):
                part, m = ids[s:s + rows].long(), mask[s:s + rows]
                n = m[:, 1:].sum().item()
                total += loss_of(net(part)[:, :-1], net.embed, part[:, 1:], m[:, 1:]).item() * n
                count += n
    print(f"held-out loss of the bf16 weights {total / count:.4f} over {count} answer tokens; final training loss {log[-1][1]}")
    with open(out / "loss.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["step", "training_loss"])
        writer.writerows(log)
        writer.writerow(["held_out", round(total / count, 5)])
    print("done after", round(time.time() - began, 1), "s")


if __name__ == "__main__":
    main()
