"""The tokenizer: byte-level BPE, every digit a token of its own, ChatML marks as added tokens."""

import json
import pathlib

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
END_OF_TEXT, TURN_START, TURN_END = 0, 1, 2
VOCABULARY = 4096

# Words with the space before them, single digits, runs of signs, white space.
PATTERN = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def render(messages):
    """What chat_template.jinja makes of the messages, without the generation prompt."""
    return "".join(f"<|im_start|>{role}\n{text.strip()}<|im_end|>\n" for role, text in messages)


def train_tokenizer(texts, out):
    """Learns the merges from rendered conversations and writes tokenizer.json and tokenizer_config.json."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(texts, trainer)
    out = pathlib.Path(out)
    tokenizer.save(str(out / "tokenizer.json"))
    config = {"add_bos_token": False, "add_prefix_space": False, "bos_token": None, "clean_up_tokenization_spaces": False,
              "eos_token": "<|im_end|>", "model_max_length": 2048, "pad_token": "<|endoftext|>",
              "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": None}
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return tokenizer


def answer_mask(ids, header):
    """1 where the token is part of an answer (its end mark included), else 0."""
    mask = bytearray(len(ids))
    inside, i, n = False, 0, len(ids)
    while i < n:
        if not inside and ids[i] == TURN_START and ids[i + 1:i + 1 + len(header)] == header:
            inside = True
            i += 1 + len(header)
            continue
        if inside:
            mask[i] = 1
            inside = ids[i] != TURN_END
        i += 1
    return mask
