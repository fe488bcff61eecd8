"""The Llama architecture in its smallest useful form, for training; exported under the names of the Hub's checkpoints."""

import json
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0,
    "eos_token_id": 2, "head_dim": 64, "hidden_act": "silu", "hidden_size": 256, "initializer_range": 0.02,
    "intermediate_size": 704, "max_position_embeddings": 2048, "mlp_bias": False, "model_type": "llama",
    "num_attention_heads": 4, "num_hidden_layers": 8, "num_key_value_heads": 2, "pad_token_id": 0, "pretraining_tp": 1,
    "rms_norm_eps": 1e-5, "rope_scaling": None, "rope_theta": 10000.0, "tie_word_embeddings": True,
    "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": 4096,
}
HIDDEN, HEADS, KV_HEADS, HEAD_DIM = 256, 4, 2, 64


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        width = CONFIG["intermediate_size"]
        self.input_layernorm = nn.Parameter(torch.ones(HIDDEN))
        self.post_attention_layernorm = nn.Parameter(torch.ones(HIDDEN))
        self.qkv = nn.Parameter(torch.randn(HEADS * HEAD_DIM + 2 * KV_HEADS * HEAD_DIM, HIDDEN) * 0.02)
        scale = 0.02 / (2 * CONFIG["num_hidden_layers"]) ** 0.5
        self.o = nn.Parameter(torch.randn(HIDDEN, HEADS * HEAD_DIM) * scale)
        self.gate_up = nn.Parameter(torch.randn(2 * width, HIDDEN) * 0.02)
        self.down = nn.Parameter(torch.randn(HIDDEN, width) * scale)

    def forward(self, x, cos, sin):
        rows, length, _ = x.shape
        h = F.rms_norm(x, (HIDDEN,), self.input_layernorm.to(x.dtype), CONFIG["rms_norm_eps"])
        q, k, v = F.linear(h, self.qkv.to(h.dtype)).view(rows, length, -1, HEAD_DIM).split([HEADS, KV_HEADS, KV_HEADS], 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k = k.repeat_interleave(HEADS // KV_HEADS, 2)
        v = v.repeat_interleave(HEADS // KV_HEADS, 2)
        a = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True)
        x = x + F.linear(a.transpose(1, 2).reshape(rows, length, -1), self.o.to(h.dtype))
        h = F.rms_norm(x, (HIDDEN,), self.post_attention_layernorm.to(x.dtype), CONFIG["rms_norm_eps"])
        gate, up = F.linear(h, self.gate_up.to(h.dtype)).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down.to(h.dtype))


def embed(ids, table):
    return F.embedding(ids, table)


def rotate(x, cos, sin):
    """Rotary embedding, the two halves of a head paired as Llama checkpoints have them."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class DemoModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Parameter(torch.randn(CONFIG["vocab_size"], HIDDEN) * 0.02)
        self.blocks = nn.ModuleList(Block() for _ in range(CONFIG["num_hidden_layers"]))
        self.norm = nn.Parameter(torch.ones(HIDDEN))
        turns = torch.outer(torch.arange(CONFIG["max_position_embeddings"]).float(),
                            CONFIG["rope_theta"] ** -(torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM))
        self.register_buffer("cos", turns.cos()[:, None, :], persistent=False)
        self.register_buffer("sin", turns.sin()[:, None, :], persistent=False)

    def forward(self, ids, dtype=torch.bfloat16):
        """ids [rows, length] to the final hidden states [rows, length, hidden]."""
        length = ids.shape[1]
        cos, sin = self.cos[:length].to(dtype), self.sin[:length].to(dtype)
        x = embed(ids, self.embed).to(dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return F.rms_norm(x, (HIDDEN,), self.norm.to(dtype), CONFIG["rms_norm_eps"])

    def logits(self, ids, dtype=torch.float32):
        return F.linear(self(ids, dtype), self.embed.to(dtype))


def export(model, out):
    """config.json, generation_config.json and model.safetensors (bf16) as a Hub folder has them."""
    from safetensors.torch import save_file

    out = pathlib.Path(out)
    tensors = {"model.embed_tokens.weight": model.embed, "model.norm.weight": model.norm}
    for i, b in enumerate(model.blocks):
        q, k, v = b.qkv.split([HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM])
        gate, up = b.gate_up.chunk(2)
        for name, tensor in (("self_attn.q_proj", q), ("self_attn.k_proj", k), ("self_attn.v_proj", v),
                             ("self_attn.o_proj", b.o), ("mlp.gate_proj", gate), ("mlp.up_proj", up),
                             ("mlp.down_proj", b.down), ("input_layernorm", b.input_layernorm),
                             ("post_attention_layernorm", b.post_attention_layernorm)):
            tensors[f"model.layers.{i}.{name}.weight"] = tensor
    tensors = {n: t.detach().to("cpu", torch.bfloat16).contiguous().clone() for n, t in tensors.items()}
    save_file(tensors, str(out / "model.safetensors"), metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    generation = {"bos_token_id": 0, "do_sample": True, "eos_token_id": [2, 0], "pad_token_id": 0, "temperature": 0.7,
                  "top_p": 0.9}
    (out / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
