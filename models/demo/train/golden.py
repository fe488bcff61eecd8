"""Writes golden.json: greedy tokens of the demo model by transformers, float32 on the CPU, for tests of the engine.

    python3 golden.py --model ..
"""

import argparse
import hashlib
import json
import pathlib

CONVERSATIONS = [
    [("user", "Hello!")],
    [("user", "What is 27 + 45?")],
    [("user", "Write a haiku about the sea.")],
    [("user", "What is Fastgen.Aspire?")],
    [("user", "Explain paged attention in detail.")],
    [("user", "Tell me a story about a fox.")],
    [("system", "You are a helpful assistant."), ("user", "My name is Anna."), ("assistant", "Nice to meet you, Anna!"),
     ("user", "What is the capital of France?"), ("assistant", "The capital of France is Paris."), ("user", "What is my name?")],
    [("user", "List five animals.")],
    [("user", "  Grüße! 你好 🙂 what's  your name?\n")],
    [("user", "Count to 20.")],
]
LENGTH = 48


def main():
    import torch
    import transformers

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="..")
    parser.add_argument("--out")
    args = parser.parse_args()
    folder = pathlib.Path(args.model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ends = {0, 2}
    cases = []
    for conversation in CONVERSATIONS:
        messages = [{"role": role, "content": text} for role, text in conversation]
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        row, logprobs, gaps = list(ids), [], []
        with torch.inference_mode():
            while len(logprobs) < LENGTH and (not logprobs or row[-1] not in ends):
                logits = model(torch.tensor([row]), use_cache=False).logits[0, -1].double()
                top = logits.topk(2)
                row.append(int(top.indices[0]))
                logprobs.append(round(float(logits.log_softmax(-1)[row[-1]]), 6))
                gaps.append(round(float(top.values[0] - top.values[1]), 5))
        tokens = row[len(ids):]
        stopped = tokens[-1] in ends
        cases.append({"messages": messages, "prompt": prompt, "prompt_ids": ids, "tokens": tokens, "logprobs": logprobs,
                      "gaps": gaps, "text": tokenizer.decode(tokens, skip_special_tokens=True),
                      "finish_reason": "stop" if stopped else "length"})
    kept = [c for c in cases if min(c["gaps"]) > 2e-3][:8]
    assert len(kept) == 8, [min(c["gaps"]) for c in cases]
    golden = {
        "about": "Greedy decoding of models/demo by transformers, float32 arithmetic on the stored bf16 weights, eager attention, "
                 "whole sequence recomputed at each step. prompt is chat_template.jinja with the generation prompt; prompt_ids are "
                 "encoded without adding special tokens. Generation regards EOS (eos_token_id of generation_config.json): tokens ends "
                 "with the EOS token where finish_reason is stop, else after max_tokens tokens. text skips special tokens.",
        "max_tokens": LENGTH, "min_gap": min(min(c["gaps"]) for c in kept),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "files_sha256": {n: hashlib.sha256((folder / n).read_bytes()).hexdigest()
                         for n in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "model.safetensors")},
        "cases": kept,
    }
    out = pathlib.Path(args.out or folder) / "golden.json"
    out.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    print("golden:", len(kept), "cases, smallest gap", golden["min_gap"], [c["finish_reason"] for c in kept])


if __name__ == "__main__":
    main()
