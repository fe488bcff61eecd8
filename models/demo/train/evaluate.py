"""Measures the exported model: sums on held-out operands, answers by topic, stopping; prints sample dialogues.

    python3 evaluate.py --model .. --out DIR                              transformers, on a GPU
    python3 evaluate.py --url http://127.0.0.1:5678 --out DIR             any server with the OpenAI API
"""

import argparse
import concurrent.futures
import json
import pathlib
import random
import re
import time
import urllib.request

import arithmetic
import dialogue
import longtext
import smalltalk
import tokens
from phrasing import noise

# Written by hand rather than drawn from the grammars; a few plain ones coincide with what the grammars can say.
PARAPHRASES = """hey what can u do for me|tell me smth about this fastgen thing|what's the trick to get this running on my box?
whats 17 added to 25|i got 20 sweets and gave 6 to my sister, so now?|could you do 9 times 8 for me real quick|forty plus two equals what
pls write haiku on the topic of autumn leaves|a haiku, something with the moon in it|make me laugh plz|got any good jokes for a programmer?
am I allowed to sell products built on it|may I run it without a gpu|what's that paged attention business all about|does this support qwen
why does continuous batching help|what do you mean by chunked prefill exactly|my day was horrible|i feel great today, thanks for asking
would you know how late it is by now|is it going to be rainy this afternoon|who was the first man on the moon|write me a python script that scrapes a website
what is the airspeed velocity of an unladen swallow|good day to you sir|thx a bunch|alrighty, i'm heading out|ur name?|is there a person behind this screen
give me four animals|could you list five different fruits please|count up to twelve please|tell me which city is the capital of japan
what noise does a dog make|the opposite of big would be|how many legs has a spider got|why is the sky so blue|what weighs more, a truck or a feather
tell a short tale about a brave little robot|I'd love a long bedtime story about a dragon|explain to me in detail how language models work
say the words purple elephant|please repeat after me: bananas are yellow|how do u spell window|what comes after tuesday
which models are supported by the engine?|what happens to my stream when a worker crashes|how large is your context|who created you and why?
can you look out of my window?|translate cat into spanish|half of 64|what is 12 squared|is 17 a prime number?|which is larger: 45 or 54
i'm so bored right now|let's play a game|what's your favorite colour buddy|you really are a nice little bot|you are useless
what is love|will machines like you conquer mankind|what does fgserve do|how do i use fgchat on my laptop?|asdf qwerty zxcv"""
PARAPHRASES = [p.strip() for p in PARAPHRASES.replace("\n", "|").split("|") if p.strip()]

DIALOGUES = [
    ["Hi there!", "my name is Marta and i live in Lisbon", "what's 8 times 7?", "and plus 4?", "do you still know my name?", "where do I live?", "thank you, bye!"],
    ["hello", "how are you doing today?", "I'm fine, just a bit tired", "tell me a joke", "haha, another one please", "good night"],
    ["What is Fastgen.Aspire?", "how do I start it?", "which models can it run?", "is it free?", "cool, thanks"],
    ["Ask me a riddle", "hmm, no clue", "one more please", "i give up"],
    ["my favourite colour is turquoise", "write a haiku about the sea", "a different one please", "which colour do I like best?"],
    ["knock knock", "Lettuce", "Lettuce in, it's cold out here!"],
    ["remember the secret word: blorf", "what is 34 + 58?", "name three fruits", "what was the secret word?"],
]
SYSTEM_DIALOGUES = [
    ("You are a helpful assistant named Zelda.", ["Hi! Who are you?", "what is 6 * 7"]),
    ("You are a pirate.", ["hello", "what is the capital of France?"]),
    ("The user's name is Oskar.", ["do you know my name?"]),
    ("End every answer with \"Over.\"", ["what is 5 + 6?", "how are you?"]),
]


class Chat:
    """Greedy or sampled answers for many conversations at once, through transformers."""

    def __init__(self, folder, device):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.torch, self.device = torch, device
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="sdpa").to(device).eval()

    def answers(self, conversations, limit=300, rows=512, **sampling):
        """[(text, stopped)] for conversations of (role, text)."""
        torch = self.torch
        out = [None] * len(conversations)
        order = sorted(range(len(conversations)), key=lambda i: sum(len(t) for _, t in conversations[i]))
        for s in range(0, len(order), rows):
            part = order[s:s + rows]
            prompts = [tokens.render(conversations[i]) + "<|im_start|>assistant\n" for i in part]
            batch = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(self.device)
            batch.pop("token_type_ids", None)
            with torch.inference_mode():
                ids = self.model.generate(**batch, max_new_tokens=limit, eos_token_id=[2, 0], pad_token_id=0,
                                          **({"do_sample": True, **sampling} if sampling else {"do_sample": False, "temperature": None, "top_p": None}))
            for i, row in zip(part, ids[:, batch["input_ids"].shape[1]:].tolist()):
                end = next((n for n, t in enumerate(row) if t in (2, 0)), None)
                out[i] = (self.tokenizer.decode(row[:end] if end is not None else row), end is not None)
        return out


class ServerChat:
    """The same through a server with the OpenAI API, for example fgserve."""

    def __init__(self, url, model):
        self.url, self.model = url.rstrip("/") + "/v1/chat/completions", model

    def answers(self, conversations, limit=300, rows=16, **sampling):
        def ask(conversation):
            body = {"model": self.model, "messages": [{"role": role, "content": text} for role, text in conversation],
                    "max_tokens": limit, "temperature": sampling.get("temperature", 0)}
            request = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=600) as response:
                choice = json.load(response)["choices"][0]
            return choice["message"]["content"], choice["finish_reason"] == "stop"

        with concurrent.futures.ThreadPoolExecutor(min(rows, 32)) as pool:
            return list(pool.map(ask, conversations))


def _share(pairs):
    return round(sum(pairs) / max(1, len(pairs)), 4)


def sums(chat, r, report):
    """Accuracy of sums; the two-digit ones use operands that no training example has."""
    sets = {"addition, two digits, held-out operands": [("+", arithmetic.operands(r, "+", True)) for _ in range(500)],
            "subtraction, two digits, held-out operands": [("-", arithmetic.operands(r, "-", True)) for _ in range(500)],
            "times table 0-12, all 169 products": [("*", (a, b)) for a in range(13) for b in range(13)],
            "multiplication up to 20 x 20": [("*", (r.randrange(2, 21), r.randrange(2, 21))) for _ in range(300)],
            "multiplication, one by two digits": [("*", (r.randrange(2, 10), r.randrange(10, 100))) for _ in range(300)],
            "addition, three digits": [("+", (r.randrange(100, 1000), r.randrange(100, 1000))) for _ in range(300)],
            "subtraction, three digits": [("-", tuple(sorted((r.randrange(100, 1000), r.randrange(100, 1000)), reverse=True))) for _ in range(300)]}
    for name, problems in sets.items():
        asked = [[("user", noise(r, arithmetic.question(r, op, a, b)))] for op, (a, b) in problems]
        good = [arithmetic.statement(op, a, b) in text for (op, (a, b)), (text, _) in zip(problems, chat.answers(asked, 40))]
        report[name] = _share(good)
    for name, make in (("word problems", arithmetic.word_problem), ("three terms", arithmetic.three_terms), ("number facts", arithmetic.number_fact)):
        turns = [make(r) for _ in range(300)]
        got = chat.answers([[("user", noise(r, q))] for q, _, _ in turns], 60)
        report[name] = _share([text == a for (_, a, _), (text, _) in zip(turns, got)])


def topics(chat, r, report, count=4000):
    """Exact answers by topic on fresh conversations, the last answer generated, where one or few answers are right."""
    allowed = {name: set(a) for name, _, a in smalltalk.INTENTS}
    allowed |= {"too big": set(arithmetic.TOO_BIG), "gibberish": set(dialogue._GIBBERISH_ANSWERS), "statement": set(dialogue._STATEMENT_ANSWERS)}
    allowed |= {"joke": set(smalltalk.JOKES), "fun fact": set(smalltalk.FUN_FACTS), "unknown": set(dialogue.OUT_OF_DOMAIN),
                "haiku": {h.replace("|", "\n") for hs in longtext.HAIKUS.values() for h in hs}}
    smalltalk_names = {name for name, _, _ in smalltalk.INTENTS}
    misses = []
    fresh = [dialogue.conversation(r) for _ in range(count)]
    got = chat.answers([m[:-1] for m, _ in fresh], 300, rows=1024)
    by_topic, stopped = {}, []
    for (messages, names), (text, stop) in zip(fresh, got):
        stopped.append(stop)
        plain = messages[0][0] != "system"
        name, want = names[-1], messages[-1][1]
        bare = re.sub("^(Hello! |Good morning! )?(Sure: |Easy: |Let me see: )?", "", want)
        ok = text == want or name in ("sum", "recall", "sum done") and text.endswith(bare) or any(text == lead + x for x in allowed.get(name, ()) for lead in ("", "Hello! ", "Good morning! "))
        if not ok and plain and name not in ("story", "poem", "list", "tell", "haiku"):
            misses.append(f"MISS {name}: {messages[-2][1]!r} -> {text[:90]!r}")
        by_topic.setdefault(name if name not in smalltalk_names else "small talk", []).append(ok)
    report[f"stopped by itself within 300 tokens, greedy, {count} fresh conversations"] = _share(stopped)
    for name in ("sum", "too big", "capital", "animal", "colour", "count fact", "opposite", "abroad", "definition", "why", "order", "member", "project", "small talk", "joke", "fun fact", "haiku", "unknown", "statement", "gibberish", "repeat", "spell", "recall", "recall unknown", "recap", "count", "explanation", "persona", "solved"):
        if name in by_topic:
            report[f"topic: {name} ({len(by_topic[name])})"] = _share(by_topic[name])
    print("\n".join(misses[:40]))
    sampled = chat.answers([m[:-1] for m, _ in fresh[:count // 4]], 300, rows=1024, temperature=1.0, top_p=1.0, top_k=0)
    report[f"stopped within 300 tokens, sampled at temperature 1, {count // 4} conversations"] = _share([s for _, s in sampled])
    written = chat.answers([[("user", p)] for p in PARAPHRASES], 300)
    report[f"stopped within 300 tokens, {len(PARAPHRASES)} wordings written by hand"] = _share([s for _, s in written])
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="..")
    parser.add_argument("--out", required=True)
    parser.add_argument("--url", help="a server with the OpenAI API, instead of transformers on a GPU")
    parser.add_argument("--served-name", default="demo", help="what that server calls the model")
    parser.add_argument("--conversations", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    began = time.time()
    r = random.Random(args.seed)
    if args.url:
        chat = ServerChat(args.url, args.served_name)
    else:
        chat = Chat(args.model, "cuda")
        template = [{"role": "system", "content": " Be nice. "}, {"role": "user", "content": "Hi!\n"}]
        assert chat.tokenizer.apply_chat_template(template, tokenize=False, add_generation_prompt=True) == \
            tokens.render([("system", " Be nice. "), ("user", "Hi!\n")]) + "<|im_start|>assistant\n"
    report = {}
    sums(chat, r, report)
    written = topics(chat, r, report, args.conversations)
    text = "\n".join(f"{v:7.2%}  {n}" for n, v in report.items())
    print(text, flush=True)
    out = pathlib.Path(args.out)
    (out / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    lines = ["# Sample dialogues", "", "Greedy answers of this model, unedited, wrong ones included. The user's words were written by hand, not drawn from the grammars.", ""]
    runs = [([], t) for t in DIALOGUES] + [([("system", s)], t) for s, t in SYSTEM_DIALOGUES]
    for i in range(max(len(t) for _, t in runs)):
        live = [(m, t) for m, t in runs if i < len(t)]
        for m, t in live:
            m.append(("user", t[i]))
        for (m, _), (answer, _) in zip(live, chat.answers([m for m, _ in live], 300)):
            m.append(("assistant", answer))
    for messages, _ in runs:
        lines += [f"**{role}:** " + text.replace("\n", "<br>") + "  " for role, text in messages] + ["", "---", ""]
    for prompt, (answer, stop) in zip(PARAPHRASES, written):
        lines += [f"**user:** {prompt}  ", "**assistant:** " + answer.replace("\n", "<br>") + ("" if stop else " [cut at 300 tokens]"), ""]
    (out / "samples.md").write_text("\n".join(lines))
    print("\n".join(lines))
    print("evaluated in", round(time.time() - began, 1), "s")


if __name__ == "__main__":
    main()
