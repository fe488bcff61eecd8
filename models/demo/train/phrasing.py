"""Turns templates into varied text: a tiny choice grammar, and the noise that real typing has."""

import re

_CHOICE = re.compile(r"\{([^{}]*)\}")

# Text between these marks keeps its case and spelling (names to remember, text to repeat, numbers).
OPEN, CLOSE = "\x01", "\x02"

_OPENERS = ["hey, ", "hi, ", "ok, ", "okay, ", "so, ", "um, ", "well, ", "please ", "ok so ", "now ", "hmm, ",
            "quick question: ", "oh, ", "and ", "also, ", "right, ", "alright, ", "yo, ", "hey there, ", "one more: ",
            "i wonder, ", "tell me, ", "just curious, ", "question: ", "say, ", "then ", "next, "]
_CLOSERS = [" please", " pls", ", please", " plz", " thanks", ", thanks", ", buddy", ", my friend", " :)", " now",
            " then", " for me", " if you can", ", ok", " btw", " lol", ", thank you", " today", " real quick", ", bot"]
_DROPPABLE = {"the", "a", "an", "is", "are", "do", "does", "please", "can", "you", "me", "to", "of", "some", "for",
              "with", "in", "your", "i"}
_CONTRACTED = [("what is", "what's"), ("What is", "What's"), ("who is", "who's"), ("I am", "I'm"), ("do not", "don't"),
               ("it is", "it's"), ("you are", "you're"), ("can not", "can't"), ("how is", "how's"), ("I would", "I'd"),
               ("What are", "What're"), ("that is", "that's")]
_KEYS = {"a": "sqz", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
         "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry",
         "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x"}


_REWORDED = [("do you know", ["do you happen to know", "do you by chance know", "any chance you know"]), ("What is ", ["What's the deal with ", "So what is ", "What exactly is ", "what would be "]),
             ("Can you ", ["Could you possibly ", "Would you mind, can you ", "Are you able to ", "Might you "]), ("Tell me ", ["I'd like to hear ", "Let me hear ", "Kindly tell me ", "Go ahead and tell me ", "You could tell me "]),
             ("How do I ", ["How would one ", "How does one ", "What do I do to ", "How could I ", "What's the way to ", "how might I "]), ("Write ", ["Compose ", "Come up with ", "Think up ", "I want you to write ", "Would you write ", "Go and write "]),
             ("I am ", ["I guess I am ", "I think I am ", "I feel like I am ", "right now I am ", "actually I am "]), ("Give me ", ["I could use ", "Let me have ", "I'd love ", "Hand me "]), ("Which ", ["What "]),
             ("How can I ", ["What can I do to ", "How could one ", "Is there a way to ", "how should I "]), ("Explain ", ["Help me understand ", "Could you go over ", "Walk me through ", "Enlighten me about "]), ("How many ", ["What number of ", "Can you say how many ", "just how many "])]
_FILLERS = ["really", "actually", "just", "kind of", "maybe", "quite", "a bit", "even", "like", "perhaps", "though", "exactly", "basically", "simply", "again", "right now", "sort of", "then", "also", "ever"]


def expand(r, template):
    """Resolves every {a|b|c} to one alternative, innermost first."""
    while "{" in template:
        template = _CHOICE.sub(lambda m: r.choice(m.group(1).split("|")), template)
    return template


def pick(r, templates):
    """One expanded template of a list."""
    return expand(r, r.choice(templates))


def fill(template, **slots):
    """Replaces the one-letter slots (whole words only) of a template."""
    return re.sub(r"\b([A-Z])\b", lambda m: slots.get(m.group(1), m.group(0)), template)


def keep(text):
    """Marks text that noise must leave as it is."""
    return f"{OPEN}{text}{CLOSE}"


def upper_first(text):
    return text[:1].upper() + text[1:]


def article(noun):
    return ("an " if noun[:1].lower() in "aeiou" else "a ") + noun


def join_and(items):
    items = list(items)
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def _split_kept(text):
    """Pieces of text with a flag: kept as it is, or free to change."""
    for i, piece in enumerate(re.split(f"{OPEN}([^{CLOSE}]*){CLOSE}", text)):
        if piece:
            yield piece, i % 2 == 1


def _map_free(text, change):
    return "".join(keep(p) if kept else change(p) for p, kept in _split_kept(text))


def _typo(r, text):
    words = text.split(" ")
    open_words = [i for i, w in enumerate(words) if len(w) >= 4 and OPEN not in w and CLOSE not in w and w.isalpha()]
    if not open_words or text.count(OPEN) != sum(w.count(OPEN) and w.count(CLOSE) for w in words):
        return text
    i = r.choice(open_words)
    w = words[i]
    at = r.randrange(1, len(w) - 1)
    kind = r.randrange(4)
    if kind == 0:
        w = w[:at] + w[at + 1] + w[at] + w[at + 2:]
    elif kind == 1:
        w = w[:at] + w[at + 1:]
    elif kind == 2:
        w = w[:at] + w[at] + w[at:]
    else:
        w = w[:at] + r.choice(_KEYS.get(w[at].lower(), "e")) + w[at + 1:]
    words[i] = w
    return " ".join(words)


def noise(r, text, allow_frame=True):
    """User text as people type it: case, punctuation, contractions, typos, fillers and dropped words vary."""
    if allow_frame and r.random() < 0.12:
        long, variants = r.choice(_REWORDED)
        if long in text:
            text = text.replace(long, r.choice(variants), 1)
        else:
            for long, variants in _REWORDED:
                if long in text and r.random() < 0.5:
                    text = text.replace(long, r.choice(variants), 1)
                    break
    if allow_frame and r.random() < 0.05:
        gaps = [m.start() for m in re.finditer(" ", text) if text[:m.start()].count(OPEN) == text[:m.start()].count(CLOSE)
                and not any(c.isdigit() for c in text)]
        if gaps:
            at = r.choice(gaps)
            text = text[:at] + " " + r.choice(_FILLERS) + text[at:]
    if r.random() < 0.35:
        for long, short in _CONTRACTED:
            if long in text and r.random() < 0.7:
                text = text.replace(long, short)
    if allow_frame and r.random() < 0.14:
        head = text[:2]
        if not head.startswith(OPEN) and not (head[:1] == "I" and not head[1:2].isalpha()):
            text = text[:1].lower() + text[1:]
        text = upper_first(r.choice(_OPENERS)) + text
    if allow_frame and r.random() < 0.12:
        stem = text.rstrip("?.!")
        text = stem + r.choice(_CLOSERS) + text[len(stem):]
    if r.random() < 0.45:
        text = text.rstrip("?.!")
    elif r.random() < 0.06:
        text = text.rstrip("?.!") + r.choice(["??", "!!", "...", "!", "?!", " ?", "???", "."])
    if r.random() < 0.07:
        words = text.split(" ")
        droppable = [i for i, w in enumerate(words) if w.lower() in _DROPPABLE]
        if len(words) > 3 and droppable:
            del words[r.choice(droppable)]
            text = " ".join(words)
    if r.random() < 0.10:
        text = _typo(r, text)
    if r.random() < 0.03:
        text = _map_free(text, lambda p: re.sub(r"\byou\b", "u", re.sub(r"\bare\b", "r", p)))
    if r.random() < 0.25:
        text = _map_free(text, lambda p: p.replace("'", ""))
    case = r.random()
    if case < 0.42:
        text = _map_free(text, str.lower)
    elif case < 0.46:
        text = _map_free(text, str.upper)
    return text.replace(OPEN, "").replace(CLOSE, "")
