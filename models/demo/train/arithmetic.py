"""Sums: questions in digits and words, follow-ups on the last result, word problems, comparisons, number facts.

Every answer restates the question in digits first ("27 + 45 = 72."), which gives the model the operands side by side.
"""

import re

from phrasing import keep, pick
from words import FRUITS, FURNITURE, NAMES, TOOLS

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen""".split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(n, hyphen="-"):
    """0..999 in English words."""
    if n < 0:
        return "minus " + in_words(-n, hyphen)
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (hyphen + _ONES[n % 10] if n % 10 else "")
    rest = n % 100
    return _ONES[n // 100] + " hundred" + (" and " + in_words(rest, hyphen) if rest else "")


def held_out(op, a, b):
    """One in ten of the two-digit sums and differences is never trained on, in whatever wording."""
    return op in "+-" and 10 <= a <= 99 and 10 <= b <= 99 and ((a * 2654435761 + b * 40503 * 977 + ord(op) * 69069) >> 9) % 10 == 3


def operands(r, op, evaluation=False):
    """Operands inside the range that the model is meant to know."""
    while True:
        size = r.random()
        if op in "+-":
            if evaluation:
                a, b = r.randrange(10, 100), r.randrange(10, 100)
            elif size < 0.2:
                a, b = r.randrange(0, 13), r.randrange(0, 13)
            elif size < 0.70:
                a, b = r.randrange(0, 100), r.randrange(0, 100)
            else:
                a, b = r.choice([(r.randrange(100, 1000), r.randrange(0, 100)),
                                 (r.randrange(0, 100), r.randrange(100, 1000)),
                                 (r.randrange(100, 1000), r.randrange(100, 1000)),
                                 (r.randrange(100, 1000), r.randrange(100, 1000)),
                                 (r.randrange(1, 10) * 100, r.randrange(1, 10) * 100)])
            if op == "-" and a < b and r.random() < 0.7:
                a, b = b, a
        elif op == "*":
            if size < 0.6:
                a, b = r.randrange(0, 13), r.randrange(0, 13)
            elif size < 0.8:
                a, b = r.randrange(2, 21), r.randrange(2, 21)
            elif size < 0.97:
                a, b = r.randrange(2, 10), r.randrange(10, 100)
                if r.random() < 0.5:
                    a, b = b, a
            else:
                a, b = r.choice([10, 100]), r.randrange(2, 100)
        else:
            b = r.randrange(1, 13)
            a = b * r.randrange(0, 13) if size < 0.8 else r.randrange(1, 100)
        if held_out(op, a, b) == evaluation:
            return a, b


_ASK = {
    "+": ["{What is|what's|How much is|Calculate|Compute|Work out|Solve|Tell me|Can you calculate|Do you know} A + B?",
          "A + B", "A+B", "A + B = ?", "A+B=", "A + B =", "A+B?", "{What is|How much is|what's|whats} A plus B?", "A plus B",
          "{What is|what's|Tell me} the sum of A and B?", "Add A and B.", "{Please|Can you|Could you} add A and B?",
          "Add B to A.", "What do you get {if|when} you add A and B?", "{What is|How much is} A and B {together|added up}?",
          "{What does A + B equal|What does A plus B make|A plus B equals}?", "If I add A to B, what do I get?",
          "Sum A and B", "I need A + B", "can you do A + B?", "{whats|wat is|what is} A+B", "Please {solve|compute} A+B",
          "Do the math: A + B", "A and B make how much?", "B added to A?", "{what is|what's|whats} B added to A", "A with B added?", "A increased by B", "{how much does|what does} A and B come to?", "What number is A + B?", "Total of A and B?",
          "Could you {tell me|work out} what A + B is?", "How many is A plus B?", "What will A + B be?"],
    "-": ["{What is|what's|How much is|Calculate|Compute|Work out|Solve|Tell me|Can you calculate|Do you know} A - B?",
          "A - B", "A-B", "A - B = ?", "A-B=", "A - B =", "A-B?", "{What is|How much is|what's|whats} A minus B?", "A minus B",
          "Subtract B from A.", "{Please|Can you|Could you} subtract B from A?", "{What is|How much is} A take away B?", "B {subtracted|taken} from A?", "What {remains|is left} of A {after|when you take} B?",
          "A take away B", "Take B {from|away from} A.", "What is left if I take B from A?",
          "{What does A - B equal|What does A minus B make|A minus B equals}?", "If you subtract B from A, what do you get?",
          "I need A - B", "can you do A - B?", "{whats|wat is|what is} A-B", "Do the math: A - B", "A less B?",
          "Could you {tell me|work out} what A - B is?", "What will A - B be?", "What number is A - B?"],
    "*": ["{What is|what's|How much is|Calculate|Compute|Work out|Solve|Tell me|Can you calculate|Do you know} A {x|*|×} B?",
          "A {x|*|×} B", "A{x|*|×}B", "A {x|*|×} B = ?", "A{x|*}B=", "{What is|How much is|what's|whats} A times B?",
          "A times B", "Multiply A {by|and|with} B.", "{Please|Can you|Could you} multiply A by B?",
          "{What is|what's|Tell me} the product of A and B?", "{What is|How much is} A multiplied by B?",
          "{What does A times B make|A times B equals|What do A times B make}?", "What do you get {if|when} you multiply A by B?",
          "A multiplied by B", "{whats|wat is|what is} A{*|x}B", "Do the math: A {x|*} B", "I need A {x|*|times} B",
          "can you do A {x|*|times} B?", "Could you {tell me|work out} what A times B is?", "How many is A times B?"],
    "/": ["{What is|what's|How much is|Calculate|Compute|Work out|Solve|Tell me|Can you calculate} A / B?", "A / B", "A/B",
          "A / B = ?", "A÷B", "A ÷ B", "{What is|How much is|what's|whats} A divided by B?", "A divided by B",
          "Divide A by B.", "{Please|Can you|Could you} divide A by B?", "How many times does B go into A?",
          "What do you get {if|when} you divide A by B?", "can you do A / B?", "A over B?"],
}
_SIGN = {"+": "+", "-": "-", "*": "x", "/": "/"}


def result(op, a, b):
    return a + b if op == "+" else a - b if op == "-" else a * b if op == "*" else a // b


def statement(op, a, b):
    """The restated sum with its result, as every answer has it."""
    if op == "/":
        if b == 0:
            return "Nobody can divide by zero, so that has no answer."
        if a % b:
            return f"{a} / {b} = {a // b} with remainder {a % b}."
    return f"{a} {_SIGN[op]} {b} = {result(op, a, b)}."


def question(r, op, a, b, plain=False):
    text = pick(r, _ASK[op])
    style = r.random()
    if style < 0.8 or plain:
        fa, fb = str(a), str(b)
    else:
        hyphen = "-" if r.random() < 0.6 else " "
        fa, fb = in_words(a, hyphen), in_words(b, hyphen)
        if style > 0.95:
            fa = str(a)
        if r.random() < 0.7:
            for sign, word in ((" + ", " plus "), (" - ", " minus "), (" x ", " times "), (" * ", " times "),
                               (" × ", " times "), (" / ", " divided by "), (" ÷ ", " divided by "), ("+", " plus "),
                               ("-", " minus ") if op == "-" else ("+", "+"), ("*", " times "), ("/", " divided by ")):
                text = text.replace(sign, word)
    out = ""
    for ch, nxt, prev in zip(text, text[1:] + " ", " " + text):
        alone = not nxt.isalpha() or ch == "A" and nxt in "x"
        if ch in "AB" and alone and (not prev.isalpha() or prev == "x") and not (ch == "A" and nxt == "n"):
            out += fa if ch == "A" else fb
        else:
            out += ch
    return out[:1].upper() + out[1:] if r.random() < 0.8 else out


def sum_turn(r, op=None, pair=None, plain=False):
    """(question, answer, result or None)."""
    op = op or r.choices("+-*/", [36, 30, 28, 6])[0]
    a, b = pair or operands(r, op)
    lead = r.choice(["", "", "", "", "", "Sure: ", "Easy: ", "Let me see: "])
    exact = None if op == "/" and (b == 0 or a % b) else result(op, a, b)
    return question(r, op, a, b, plain), lead + statement(op, a, b), exact


def divide_by_zero(r):
    a = r.randrange(0, 100)
    return pick(r, ["What is A / 0?", "A/0", "A divided by {0|zero}", "Divide A by {0|zero}."]).replace("A", str(a)), \
        "Nobody can divide by zero, so that has no answer.", None


def follow_up(r, last):
    """A step on from the last result: "plus 5", "double it". None where the numbers leave the known range."""
    kind = r.random()
    if kind < 0.55:
        op = r.choice("+-")
        b = r.randrange(1, 100) if r.random() < 0.5 else r.randrange(1, 13)
        if not 0 <= last <= 999 or held_out(op, last, b) or not -99 <= result(op, last, b) <= 1100:
            return None
        word = {"+": "{plus|+|add|and plus|now add|and if you add}", "-": "{minus|-|subtract|now subtract|and minus|take away}"}
        text = pick(r, [word[op] + " B{|?|.}", "and {that|it} " + {"+": "plus", "-": "minus"}[op] + " B?"])
    elif kind < 0.8:
        op, b = "*", r.randrange(2, 13)
        if not (0 <= last <= 20 or 0 <= last <= 99 and b < 10):
            return None
        text = pick(r, ["{times|x|and times|multiply it by|multiply that by|now times} B{|?|.}", "and that times B?"])
    elif kind < 0.9:
        op, b = "*", 2
        if not 0 <= last <= 99:
            return None
        return pick(r, ["{Double it|Now double it|double that|and double that}{.|?|}"]), statement("*", last, 2), last * 2
    else:
        op, b = "/", 2
        if not 0 < last <= 99 or last % 2:
            return None
        return pick(r, ["{Halve it|half of that|and half of it|now halve it}{.|?|}"]), statement("/", last, 2), last // 2
    return text.replace("B", str(b)), statement(op, last, b), result(op, last, b)


def are_you_sure(r, last_answer):
    statement_only = last_answer.split(": ")[-1]
    return pick(r, ["Are you sure{| about that}?", "really?", "Is that {right|correct|true}?", "sure?", "u sure?",
                    "you sure?", "I don't believe you.", "that's wrong", "is that so?"]), "Yes, I am sure: " + statement_only


def check_turn(r):
    """A claimed sum, right or wrong."""
    op = r.choice("++-*")
    a, b = operands(r, op)
    right = result(op, a, b)
    claim = right if r.random() < 0.5 else right + r.choice([-10, -2, -1, 1, 2, 10])
    text = pick(r, ["Is A S B = C?", "is A S B C?", "A S B = C, {right|correct|true|is that right|isn't it}?",
                    "Is it true that A S B is C?", "A S B is C", "Does A S B equal C?", "A S B = C", "A S B makes C, right?"])
    text = text.replace("A", str(a)).replace("B", str(b)).replace("C", str(claim)).replace("S", _SIGN[op])
    return text, ("Yes, " if claim == right else "No, ") + statement(op, a, b), right


_THINGS = FRUITS + TOOLS + FURNITURE + ["book", "coin", "ball", "cookie", "marble", "sticker", "egg", "pencil", "card", "cup"]


def plural(noun):
    special = {"tomato": "tomatoes", "potato": "potatoes", "mango": "mangoes", "shelf": "shelves", "leek": "leeks",
               "pliers": "pliers", "radish": "radishes", "broccoli": "broccoli", "scissors": "scissors", "axe": "axes"}
    if noun in special:
        return special[noun]
    if noun.endswith(("s", "sh", "ch", "x")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def word_problem(r):
    thing, who = plural(r.choice(_THINGS)), r.choice(NAMES)
    small = r.random() < 0.7
    op = r.choice("+-*") if small else r.choice("+-")
    while True:
        a, b = (r.randrange(2, 21), r.randrange(2, 13)) if small else (r.randrange(2, 100), r.randrange(2, 100))
        if op == "-" and a < b:
            a, b = b, a
        if not held_out(op, a, b):
            break
    c = result(op, a, b)
    if op == "+":
        text = pick(r, ["I have A T and {get|buy|find|pick} B more. How many {T |}do I have{| now}?",
                        "If I have A T and you give me B more, how many do I have?",
                        "W has A T and {gets|buys|finds} B more. How many T does W have{| now}?",
                        "There are A T in {one box|a bag} and B in {another|a second one}. How many are there {in total|together|altogether}?"])
    elif op == "-":
        if r.random() < 0.3:
            thing = r.choice(["euros", "dollars", "pounds", "coins", "minutes", "cents"])
            text = pick(r, ["I have A T and {spend|use|pay|lose|give away} B{. How much is left|, how much is left|, what remains|. What remains|, how many remain|, how much do I still have|. How many T do I have left}?",
                            "{From A T I spend|I had A T and spent|i start with A T and use up} B{, what is left|. How many are left|, how much remains}?"])
        else:
            text = pick(r, ["I have A T and {eat|lose|give away|sell|drop|throw away|break|use} B{. How many {T |}are left|, how many are left|, what remains|. How many remain|, how many do I have left}?",
                            "W has A T and {loses|gives away|sells|breaks} B. How many {T |}{are left|does W have left}?",
                            "There {are|were} A T {in the basket|on the table} and I take B. How many are left?"])
    else:
        text = pick(r, ["I have A {bags|boxes|baskets} with B T each. How many T {are there|do I have}{| in total}?",
                        "There are A {bags|boxes|rows} of B T. How many T are there?",
                        "W buys A packs of B T. How many T does W have?", "If A people each have B T, how many T are there?"])
    whose = "W" in text
    said = "".join(str(a) if w == "A" else str(b) if w == "B" else thing if w == "T" else who if w == "W" else w
                   for w in _tokens(text))
    tail = {"+": f"{who} has {c} {thing} now." if whose else f"That makes {c} {thing}.",
            "-": "1 is left." if c == 1 else f"{c} {thing} are left.", "*": f"That makes {c} {thing}."}[op]
    return said, f"{a} {_SIGN[op]} {b} = {c}. {tail}", c


def _tokens(text):
    return re.split(r"\b", text)


def three_terms(r):
    while True:
        a, b, c = (r.randrange(1, 51 if r.random() < 0.4 else 13) for _ in range(3))
        ops = r.choice(["++", "++", "+-", "-+", "--"])
        first = result(ops[0], a, b)
        if first >= 0 and first + (c if ops[1] == "+" else -c) >= 0 and not held_out(ops[0], a, b) \
                and not held_out(ops[1], first, c):
            break
    last = result(ops[1], first, c)
    gap = r.choice([" ", " ", ""])
    words = r.random() < 0.25
    s = [f" {'plus' if o == '+' else 'minus'} " if words else f"{gap}{o}{gap}" for o in ops]
    text = pick(r, ["{What is|what's|How much is|Calculate|Work out|} X{?|}", "X", "X = ?"]).replace("X", f"{a}{s[0]}{b}{s[1]}{c}")
    return text.strip(), f"{a} {ops[0]} {b} = {first}, and {first} {ops[1]} {c} = {last}. The answer is {last}.", last


def number_fact(r):
    """Comparisons, parity, neighbours, double, half, square, order."""
    kind = r.randrange(10)
    n = r.randrange(0, 100) if r.random() < 0.8 else r.randrange(100, 1000)
    m = r.randrange(0, 100) if r.random() < 0.8 else r.randrange(100, 1000)
    if kind == 0:
        while n == m:
            m = r.randrange(0, 100)
        up = r.random() < 0.6
        text = pick(r, ["{Which|What} {|number }is {bigger|larger|greater|more}{,|:| -|} N or M?", "Is N {bigger|larger|greater} than M?",
                        "What is {bigger|larger}, N or M?"] if up else
                    ["{Which|What} {|number }is {smaller|less|lower}{,|:|} N or M?", "Is N {smaller|less} than M?"])
        hit = max(n, m) if up else min(n, m)
        other = n + m - hit
        word = "bigger" if up else "smaller"
        lead = ("Yes, " if hit == n else "No, ") if text.startswith("Is") else ""
        return _fill(text, n, m), f"{lead}{hit} is {word} than {other}.", None
    if kind == 1:
        text = pick(r, ["Is N {even or odd|odd or even}?", "Is N {even|odd}?", "N: even or odd?", "Is the number N {even|odd}?"])
        word = "odd" if n % 2 else "even"
        lead = ""
        if " or " not in text:
            lead = "Yes, " if word in text else "No, "
        return _fill(text, n, m), f"{lead}{n} is {word}.", None
    if kind == 2:
        text = pick(r, ["{What|Which} {number |}comes {after|next after} N?", "What is the {next|following} number after N?",
                        "{What's|What is} after N?"])
        return _fill(text, n, m), f"After {n} comes {n + 1}.", n + 1
    if kind == 3 and n > 0:
        text = pick(r, ["{What|Which} {number |}comes before N?", "What is the number before N?"])
        return _fill(text, n, m), f"Before {n} comes {n - 1}.", n - 1
    if kind == 4:
        n = r.randrange(0, 100)
        text = pick(r, ["{What is|What's|Tell me|} {the double of|double|twice|two times} N?", "Double N.", "N doubled?"])
        return _fill(text, n, m).strip(), statement("*", n, 2), 2 * n
    if kind == 5:
        n = r.randrange(0, 50) * 2
        text = pick(r, ["{What is|What's|Tell me|} {the half of|half of|half} N?", "Halve N."])
        return _fill(text, n, m).strip(), statement("/", n, 2), n // 2
    if kind == 6:
        n = r.randrange(0, 21)
        text = pick(r, ["{What is|What's|Tell me|} N squared?", "N squared", "The square of N?", "What is the square of N?", "N^2"])
        return _fill(text, n, m).strip(), statement("*", n, n), n * n
    if kind == 7:
        n = r.randrange(0, 21)
        text = pick(r, ["What is the square root of N?", "square root of N", "sqrt(N)", "sqrt N", "root of N?"])
        return _fill(text, n * n, m), f"The square root of {n * n} is {n}, because {n} x {n} = {n * n}.", n
    if kind == 8:
        n = r.randrange(0, 1000) if r.random() < 0.5 else r.randrange(0, 100)
        text = pick(r, ["{How do you write|Write|Spell|How do you say} N in words{?|}", "What is N in words?"])
        return _fill(text, n, m), f"{n} in words is {in_words(n)}.", None
    prime = n < 200 and n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))
    n = n % 100
    prime = n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))
    text = pick(r, ["Is N {a prime number|prime|a prime}?"])
    if prime:
        return _fill(text, n, m), f"Yes, {n} is a prime number.", None
    divisor = next((d for d in range(2, n) if n % d == 0), None)
    why = f" because {divisor} x {n // divisor} = {n}." if divisor else " because a prime is bigger than one."
    return _fill(text, n, m), f"No, {n} is not a prime number,{why}", None


def _fill(text, n, m):
    return "".join(str(n) if w == "N" else str(m) if w == "M" else w for w in _tokens(text))


def times_table(r):
    n = r.randrange(1, 13)
    text = pick(r, ["{Tell me|Say|Show me|Write|Recite|Give me|What is|List} the N times table{.|?|}", "N times table",
                    "the times table of N", "multiplication table of N", "times table for N please",
                    "{Show|Print|Give} me the multiplication table for N."])
    rows = "\n".join(f"{i} x {n} = {i * n}" for i in range(1, 11))
    spelled = str(n) if r.random() < 0.7 else in_words(n)
    return "".join(spelled if w == "N" else w for w in _tokens(text)), f"Here is the {n} times table:\n{rows}", None


TOO_BIG = ["That is too hard for my tiny head. I can add and subtract numbers up to three digits, and I know the times table up to 20.",
           "Sorry, those numbers are too big for me. I can do sums up to three digits and the times table up to 20."]


def too_big(r):
    """Beyond what so small a model can do: it says so instead of guessing."""
    digits = r.randrange(4, 9)
    a, b = r.randrange(10 ** (digits - 1), 10 ** digits), r.randrange(10, 10 ** r.randrange(2, 8))
    op = r.choice("+-*/")
    if r.random() < 0.3:
        a, b, op = r.randrange(11, r.choice([100, 1000])), r.randrange(21, r.choice([100, 1000])), "*"
        if a == 100 or b == 100:
            a, b = a + 1, b + 1
    if r.random() < 0.5 and op != "*":
        a, b = b, a
    if r.random() < 0.15:
        text = pick(r, ["What is the square root of N?", "Is N prime?", "What is N squared?", "Integrate x^M",
                        "What is N percent of M?", "N to the power of M", "log of N?", "Solve x^2 + Nx + M = 0",
                        "What is the sine of N?", "What are the digits of pi?", "Solve x + N = M", "factorial of N"])
        text = _fill(text, a, r.randrange(2, 1000))
    elif r.random() < 0.15:
        text = f"{a / 10 ** r.randrange(1, 4)} {r.choice(['+', '-', '*', '/'])} {b / 10}"
        if r.random() < 0.5:
            text = "What is " + text + "?"
    else:
        text = question(r, op, a, b, plain=True)
    return text, r.choice(TOO_BIG), None


def any_turn(r):
    """(question, answer, result, sub-topic) of any kind of sum."""
    kind = r.random()
    for limit, make, name in ((0.66, sum_turn, "sum"), (0.73, word_problem, "word problem"), (0.79, three_terms, "three terms"),
                              (0.90, number_fact, "number fact"), (0.925, check_turn, "check"), (0.945, times_table, "table"),
                              (0.99, too_big, "too big"), (1.0, divide_by_zero, "zero")):
        if kind <= limit:
            q, a, value = make(r)
            return keep_numbers(q), a, value, name


def keep_numbers(text):
    """Digits and signs survive the noise untouched as they are: they hold no letters to damage."""
    return text if not text.replace(" ", "").isalpha() else keep(text) if len(text) < 4 else text
