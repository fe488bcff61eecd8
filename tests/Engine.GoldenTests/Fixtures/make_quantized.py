#!/usr/bin/env python3
"""Makes the small models q_* beside this file: one for each quantised format, with logits from a plain float64 forward pass.

Needs nothing but Python. Layouts are written from the formats' own definitions (AutoAWQ, AutoGPTQ, compressed-tensors, OCP fp8), not
from the engine's readers. Run it from anywhere: python3 make_quantized.py
"""
import json
import math
import random
import struct
from pathlib import Path

HIDDEN, INTER, VOCAB, HEADS, KV_HEADS, HEAD_DIM, LAYERS = 64, 96, 48, 4, 2, 16, 1
PROMPTS, GENERATED, EPSILON, THETA = (5, 37, 130), 24, 1e-5, 10000.0


def half(x):
    return struct.unpack('<e', struct.pack('<e', x))[0]


def single(x):
    return struct.unpack('<f', struct.pack('<f', x))[0]


def e4m3(code):
    exponent, mantissa = code >> 3 & 15, code & 7
    size = mantissa * 2.0 ** -9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10)
    return -size if code & 128 else size


E4M3 = sorted(((e4m3(code), code) for code in range(256) if code & 127 != 127), key=lambda pair: pair[0])


def to_e4m3(x):
    return min(E4M3, key=lambda pair: abs(pair[0] - x))[1]


def words(values, bits):
    """Consecutive numbers from the lowest bits of 32-bit words up."""
    per = 32 // bits
    return [sum(value << bits * i for i, value in enumerate(values[start:start + per])) for start in range(0, len(values), per)]


def pack(kind, items):
    return struct.pack(f'<{len(items)}{kind}', *items)


class Grid:
    """Rounds to nearest over groups of columns: code, zero and scale of each number."""

    def __init__(self, w, size, bits, symmetric, group_of):
        self.rows, self.columns, self.groups = len(w), len(w[0]), max(group_of) + 1
        self.codes = [[0] * self.columns for _ in w]
        self.zeros = [[0] * self.groups for _ in w]
        self.scales = [[0.0] * self.groups for _ in w]
        top = (1 << bits) - 1
        for r, line in enumerate(w):
            for g in range(self.groups):
                part = [x for x, group in zip(line, group_of) if group == g]
                if symmetric:
                    scale, zero = max(abs(x) for x in part) / (top / 2), (top + 1) // 2
                else:
                    low, high = min(part + [0.0]), max(part + [0.0])
                    scale = (high - low) / top
                    zero = min(max(round(-low / scale), 1), top)
                self.scales[r][g], self.zeros[r][g] = half(scale), zero
            for c, x in enumerate(line):
                g = group_of[c]
                self.codes[r][c] = min(max(round(x / self.scales[r][g]) + self.zeros[r][g], 0), top)
        self.values = [[(self.codes[r][c] - self.zeros[r][group_of[c]]) * self.scales[r][group_of[c]] for c in range(self.columns)] for r in range(self.rows)]


def in_order(columns, size):
    return [c // size for c in range(columns)]


def awq(name, w, size, rng):
    grid = Grid(w, size, 4, False, in_order(len(w[0]), size))
    nibble = (0, 4, 1, 5, 2, 6, 3, 7)
    row8 = lambda of: [sum(of(8 * b + i) << 4 * nibble[i] for i in range(8)) for b in range(grid.rows // 8)]
    qweight = [word for c in range(grid.columns) for word in row8(lambda r: grid.codes[r][c])]
    qzeros = [word for g in range(grid.groups) for word in row8(lambda r: grid.zeros[r][g])]
    scales = [grid.scales[r][g] for g in range(grid.groups) for r in range(grid.rows)]
    return grid.values, {
        f'{name}.qweight': ('I32', [grid.columns, grid.rows // 8], pack('I', qweight)),
        f'{name}.qzeros': ('I32', [grid.groups, grid.rows // 8], pack('I', qzeros)),
        f'{name}.scales': ('F16', [grid.groups, grid.rows], pack('e', scales))}


def gptq(name, w, size, rng, bits=4, offset=1, shuffled=False):
    columns = len(w[0])
    group_of = in_order(columns, size)
    if shuffled:
        random.Random(columns).shuffle(group_of)
    grid = Grid(w, size, bits, False, group_of)
    per = 32 // bits
    qweight = [word for block in range(columns // per) for r in range(grid.rows) for word in words(grid.codes[r][block * per:(block + 1) * per], bits)]
    qzeros = [word for g in range(grid.groups) for word in words([grid.zeros[r][g] - offset for r in range(grid.rows)], bits)]
    scales = [grid.scales[r][g] for g in range(grid.groups) for r in range(grid.rows)]
    return grid.values, {
        f'{name}.qweight': ('I32', [columns // per, grid.rows], pack('I', qweight)),
        f'{name}.qzeros': ('I32', [grid.groups, grid.rows // per], pack('I', qzeros)),
        f'{name}.scales': ('F16', [grid.groups, grid.rows], pack('e', scales)),
        f'{name}.g_idx': ('I32', [columns], pack('i', group_of))}


def ct_packed(name, w, size, rng):
    grid = Grid(w, size, 4, False, in_order(len(w[0]), size))
    # Numbers and zeros are signed, and stored plus 8: the unsigned codes and zeros of the grid.
    packed = [word for line in grid.codes for word in words(line, 4)]
    zeros = [sum(grid.zeros[8 * b + i][g] << 4 * i for i in range(8)) for b in range(grid.rows // 8) for g in range(grid.groups)]
    return grid.values, {
        f'{name}.weight_packed': ('I32', [grid.rows, grid.columns // 8], pack('I', packed)),
        f'{name}.weight_zero_point': ('I32', [grid.rows // 8, grid.groups], pack('I', zeros)),
        f'{name}.weight_scale': ('F16', [grid.rows, grid.groups], pack('e', [s for line in grid.scales for s in line])),
        f'{name}.weight_shape': ('I64', [2], pack('q', [grid.rows, grid.columns]))}


def ct_int8(name, w, size, rng):
    grid = Grid(w, size, 8, True, [0] * len(w[0]))
    return grid.values, {
        f'{name}.weight': ('I8', [grid.rows, grid.columns], pack('b', [code - 128 for line in grid.codes for code in line])),
        f'{name}.weight_scale': ('F16', [grid.rows, 1], pack('e', [line[0] for line in grid.scales]))}


def fp8(name, w, rng, block_rows, block_columns, suffix, shape):
    rows, columns = len(w), len(w[0])
    across = -(-columns // block_columns)
    scales, codes, values = [], bytearray(), [[0.0] * columns for _ in w]
    for top in range(0, rows, block_rows):
        for left in range(0, columns, block_columns):
            block = [abs(x) for line in w[top:top + block_rows] for x in line[left:left + block_columns]]
            scales.append(single(max(block) / 448))
    for r in range(rows):
        for c in range(columns):
            scale = scales[r // block_rows * across + c // block_columns]
            code = to_e4m3(w[r][c] / scale)
            codes.append(code)
            values[r][c] = single(e4m3(code) * scale)
    return values, {
        f'{name}.weight': ('F8_E4M3', [rows, columns], bytes(codes)),
        f'{name}.{suffix}': ('F32', shape or [-(-rows // block_rows), across], pack('f', scales))}


def fp8_block(name, w, size, rng):
    return fp8(name, w, rng, 128, 128, 'weight_scale_inv', None)


def fp8_ragged(name, w, size, rng):
    return fp8(name, w, rng, 40, 64, 'weight_scale_inv', None)


def fp8_static(name, w, size, rng):
    values, tensors = fp8(name, w, rng, len(w), len(w[0]), 'weight_scale', [])
    tensors[f'{name}.input_scale'] = ('F32', [], pack('f', [0.0625]))
    return values, tensors


def compressed_tensors(form, weights):
    return {'quant_method': 'compressed-tensors', 'format': form, 'ignore': ['lm_head'], 'quantization_status': 'compressed',
            'config_groups': {'group_0': {'targets': ['Linear'], 'weights': weights, 'input_activations': None, 'output_activations': None}}}


CASES = {
    'q_awq': (awq, {'quant_method': 'awq', 'bits': 4, 'group_size': 32, 'version': 'gemm', 'zero_point': True}),
    'q_gptq_desc_act': (lambda *a: gptq(*a, shuffled=True), {'quant_method': 'gptq', 'bits': 4, 'group_size': 32, 'desc_act': True, 'sym': False, 'checkpoint_format': 'gptq'}),
    'q_gptq_v2_8bit': (lambda *a: gptq(*a, bits=8, offset=0), {'quant_method': 'gptq', 'bits': 8, 'group_size': 32, 'desc_act': False, 'sym': False, 'checkpoint_format': 'gptq_v2'}),
    'q_ct_packed': (ct_packed, compressed_tensors('pack-quantized', {'num_bits': 4, 'type': 'int', 'symmetric': False, 'strategy': 'group', 'group_size': 32})),
    'q_ct_int8': (ct_int8, compressed_tensors('int-quantized', {'num_bits': 8, 'type': 'int', 'symmetric': True, 'strategy': 'channel'})),
    'q_fp8_block': (fp8_block, {'quant_method': 'fp8', 'fmt': 'e4m3', 'activation_scheme': 'dynamic', 'weight_block_size': [128, 128]}),
    'q_fp8_ragged': (fp8_ragged, {'quant_method': 'fp8', 'fmt': 'e4m3', 'activation_scheme': 'dynamic', 'weight_block_size': [40, 64]}),
    'q_fp8_static': (fp8_static, {'quant_method': 'fp8', 'activation_scheme': 'static', 'ignored_layers': ['lm_head']}),
}


def times(w, x):
    return [sum(map(float.__mul__, line, x)) for line in w]


def norm(x, weight):
    scale = 1 / math.sqrt(sum(v * v for v in x) / len(x) + EPSILON)
    return [v * scale * g for v, g in zip(x, weight)]


def rotate(head, position):
    middle = HEAD_DIM // 2
    out = [0.0] * HEAD_DIM
    for i in range(middle):
        angle = position * THETA ** (-2 * i / HEAD_DIM)
        c, s = math.cos(angle), math.sin(angle)
        out[i], out[i + middle] = head[i] * c - head[i + middle] * s, head[i + middle] * c + head[i] * s
    return out


def heads_of(x):
    return [x[i:i + HEAD_DIM] for i in range(0, len(x), HEAD_DIM)]


def step(model, caches, token, position):
    """Logits after one token; causal attention needs no more of the past than its keys and values."""
    x = list(model['embed'][token])
    for layer, cache in zip(model['layers'], caches):
        h = norm(x, layer['input'])
        q = [rotate(head, position) for head in heads_of(times(layer['q'], h))]
        cache.append(([rotate(head, position) for head in heads_of(times(layer['k'], h))], heads_of(times(layer['v'], h))))
        attended = []
        for i, query in enumerate(q):
            kv = i // (HEADS // KV_HEADS)
            scores = [sum(map(float.__mul__, query, keys[kv])) / math.sqrt(HEAD_DIM) for keys, _ in cache]
            top = max(scores)
            weights = [math.exp(s - top) for s in scores]
            total = sum(weights)
            attended += [sum(w * values[kv][d] for w, (_, values) in zip(weights, cache)) / total for d in range(HEAD_DIM)]
        x = [a + b for a, b in zip(x, times(layer['o'], attended))]
        h = norm(x, layer['post'])
        gated = [g / (1 + math.exp(-g)) * u for g, u in zip(times(layer['gate'], h), times(layer['up'], h))]
        x = [a + b for a, b in zip(x, times(layer['down'], gated))]
    return times(model['head'], norm(x, model['norm']))


def safetensors(path, tensors):
    header, data = {}, b''
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    path.write_bytes(struct.pack('<Q', len(text)) + text + data)


def make(folder, name, quantise, config, seed):
    rng = random.Random(seed)
    matrix = lambda rows, columns, gain: [[half(rng.gauss(0, gain / math.sqrt(columns))) for _ in range(columns)] for _ in range(rows)]
    tensors, golden, model = {}, {}, {'layers': []}

    def plain(key, rows):
        flat = [v for line in rows for v in line] if isinstance(rows[0], list) else rows
        tensors[key] = ('F16', [len(rows), len(rows[0])] if isinstance(rows[0], list) else [len(rows)], pack('e', flat))
        return rows

    model['embed'] = plain('model.embed_tokens.weight', matrix(VOCAB, HIDDEN, 8))
    model['head'] = plain('lm_head.weight', matrix(VOCAB, HIDDEN, 3))
    model['norm'] = plain('model.norm.weight', [half(1 + rng.gauss(0, .1)) for _ in range(HIDDEN)])
    for i in range(LAYERS):
        layer, prefix = {}, f'model.layers.{i}'
        layer['input'] = plain(f'{prefix}.input_layernorm.weight', [half(1 + rng.gauss(0, .1)) for _ in range(HIDDEN)])
        layer['post'] = plain(f'{prefix}.post_attention_layernorm.weight', [half(1 + rng.gauss(0, .1)) for _ in range(HIDDEN)])
        for short, module, rows, columns in (
                ('q', 'self_attn.q_proj', HEADS * HEAD_DIM, HIDDEN), ('k', 'self_attn.k_proj', KV_HEADS * HEAD_DIM, HIDDEN),
                ('v', 'self_attn.v_proj', KV_HEADS * HEAD_DIM, HIDDEN), ('o', 'self_attn.o_proj', HIDDEN, HEADS * HEAD_DIM),
                ('gate', 'mlp.gate_proj', INTER, HIDDEN), ('up', 'mlp.up_proj', INTER, HIDDEN), ('down', 'mlp.down_proj', HIDDEN, INTER)):
            layer[short], stored = quantise(f'{prefix}.{module}', matrix(rows, columns, 2), 32, rng)
            tensors.update(stored)
            golden[f'dequant.{prefix}.{module}.weight.rows0_3'] = ('F32', [4, columns], pack('f', [v for row in layer[short][:4] for v in row]))
        model['layers'].append(layer)

    tokens, logprobs, gap = [], [], 1e9
    for p, length in enumerate(PROMPTS):
        prompt = [rng.randrange(4, VOCAB) for _ in range(length)]
        caches, rows = [[] for _ in range(LAYERS)], []
        for position, token in enumerate(prompt):
            rows.append(step(model, caches, token, position))
        golden[f'prompt.{p}'] = ('I32', [length], pack('i', prompt))
        golden[f'logits.{p}'] = ('F32', [length, VOCAB], pack('f', [v for row in rows for v in row])) if p == 0 else ('F32', [VOCAB], pack('f', rows[-1]))
        logits = rows[-1]
        for position in range(length, length + GENERATED):
            order = sorted(range(VOCAB), key=lambda t: -logits[t])
            gap = min(gap, logits[order[0]] - logits[order[1]])
            tokens.append(order[0])
            logprobs.append(logits[order[0]] - logits[order[0]] - math.log(sum(math.exp(v - logits[order[0]]) for v in logits)))
            logits = step(model, caches, order[0], position)
    if gap < 0.01:
        return False
    golden['gen.tokens'] = ('I32', [len(PROMPTS), GENERATED], pack('i', tokens))
    golden['gen.logprobs'] = ('F32', [len(PROMPTS), GENERATED], pack('f', logprobs))
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    safetensors(target / 'model.safetensors', tensors)
    safetensors(target / 'golden.safetensors', golden)
    (target / 'golden.json').write_text(json.dumps({'name': name, 'made_by': 'make_quantized.py', 'seed': seed, 'min_gap': gap}) + '\n')
    (target / 'config.json').write_text(json.dumps({
        'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'vocab_size': VOCAB, 'hidden_size': HIDDEN, 'intermediate_size': INTER,
        'num_hidden_layers': LAYERS, 'num_attention_heads': HEADS, 'num_key_value_heads': KV_HEADS, 'head_dim': HEAD_DIM, 'hidden_act': 'silu',
        'attention_bias': False, 'mlp_bias': False, 'max_position_embeddings': 512, 'rms_norm_eps': EPSILON, 'rope_theta': THETA,
        'tie_word_embeddings': False, 'bos_token_id': 1, 'eos_token_id': 2, 'torch_dtype': 'float16', 'quantization_config': config}, indent=2) + '\n')
    return True


if __name__ == '__main__':
    models = Path(__file__).resolve().parent / 'models'
    for case, (quantiser, settings) in CASES.items():
        seed = next(seed for seed in range(1, 1000) if make(models, case, quantiser, settings, seed))
        print(f'{case}: seed {seed}')
