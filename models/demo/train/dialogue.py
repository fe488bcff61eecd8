"""Puts the topics together into whole conversations: system prompts, memory over several turns, follow-ups.

`conversation(r)` gives a list of (role, text) and the topic of each answer; `raw_text(r)` a text without roles.
"""

import re

import arithmetic
import knowledge as k
import longtext
import project
import smalltalk as s
import words as w
from phrasing import article, fill, keep, noise, pick, upper_first

_INTENTS = {name: (asks, answers) for name, asks, answers in s.INTENTS}

_WHAT_IS = ["{What is|What's|whats|What are|Explain|Define|Describe} T{?|.|}", "{What does T mean|What is meant by T|what is this T|What do you mean by T}?",
            "{Tell me about|Tell me something about|Tell me what T is|Do you know|Do you know what T is|Explain to me|Can you explain|Could you explain|Please explain|What do you know about|I want to know about|i would like to know what T is|teach me about|Describe} T{?|.|}",
            "T{?|}", "{How does|How do} T work?", "{explain|definition of|meaning of|info on|about} T", "{I have heard of|i do not understand|i don't know} T, what is it?", "what exactly is T?", "T, what is that?", "explain T {briefly|shortly|in simple words|simply} please",
            "What is T{ for| about| good for| exactly|, briefly| in short| in one sentence}?"]


# All plain words that the model can meet, for copying and spelling tasks.
_VOCABULARY = sorted({word for text in [*k.DEFINITIONS.values(), *(t for _, t in longtext.EXPLANATIONS), *s.JOKES, *s.FUN_FACTS, *(a for _, a in k.WHY_HOW), *w.UNKNOWN_NOUNS,
                                        *(a for _, answers in project.TOPICS for a in answers), *(" ".join(x) for x in w.CATEGORIES.values())]
                      for word in re.findall(r"[a-z]{2,12}", text.lower())})


def _put(template, thing):
    """The template with its T replaced by the thing; verbs that already name T stay as they are."""
    parts = template.split(" ")
    if sum(p.rstrip("?.!,") == "T" for p in parts) > 1:
        at = max(i for i, p in enumerate(parts) if p.rstrip("?.!,") == "T")
        parts[at] = parts[at][1:]
    return " ".join(thing + p[1:] if p.rstrip("?.!,") == "T" else p for p in parts).strip()


def _bare(r, thing):
    for lead in ("the ", "a ", "an "):
        if thing.startswith(lead) and r.random() < 0.35:
            return thing[len(lead):]
    return thing


# ---- single turns: each returns (question, answer, topic) ----

def intent_turn(r):
    name, asks, answers = r.choice(s.INTENTS)
    if r.random() < 0.25:
        name = r.choice(["hello", "how are you", "bot name", "help", "thanks", "bye", "ack", "user fine", "human", "maker"])
        asks, answers = _INTENTS[name]
    return pick(r, asks), r.choice(answers), name


def project_turn(r):
    if r.random() < 0.6:
        names, answers = project.TOPICS[0] if r.random() < 0.12 else r.choice(project.TOPICS)
        return _put(pick(r, _WHAT_IS), _bare(r, r.choice(names))), r.choice(answers), "project"
    asks, answers = r.choice(project.QUESTIONS)
    if r.random() < 0.15:
        asks, answers = r.choice(project.QUESTIONS[:5])
    return pick(r, asks), r.choice(answers), "project"


def capital_turn(r):
    if r.random() < 0.15:
        place = r.choice([upper_first(w.made_up(r)), "Mars", "the moon", "Atlantis", "Wonderland", "the sea", "Texas", "Bavaria"])
        return pick(r, ["What is the capital of P?", "capital of P"]).replace("P", place), "I do not know the capital of that place. I only know some countries.", "capital"
    country, city = r.choice(list(k.CAPITALS.items()))
    if r.random() < 0.15:
        return pick(r, ["{Which country is P the capital of|P is the capital of which country|Where is P|In which country is P|what country is P in}?"]).replace("P", city), \
            f"{city} is the capital of {_main_name(city)}.", "capital"
    ask = pick(r, ["{What is|What's|whats|Tell me|Do you know|Name|Say} the capital {city |}of P{?|.|}", "capital of P", "P's capital", "What is P's capital{?| city?}", "{Which city|what city} is the capital of P?", "the capital of P is{| what}?", "P capital"])
    return ask.replace("P", country), f"The capital of {country} is {city}.", "capital"


def _main_name(city):
    return next(c for c, v in k.CAPITALS.items() if v == city)


def animal_turn(r):
    animal, (sound, legs, home, food, young) = r.choice(list(k.ANIMAL_FACTS.items()))
    kind = r.randrange(5)
    many = {"mouse": "mice", "wolf": "wolves", "fish": "fish", "sheep": "sheep", "fox": "foxes", "butterfly": "butterflies", "deer": "deer",
            "octopus": "octopuses", "donkey": "donkeys", "monkey": "monkeys"}.get(animal, animal + "s")
    if kind == 0 and sound:
        return pick(r, ["{What|Which} {sound|noise} does A make?", "What does A say?", "How does A {sound|go}?", "the sound of A", "{What|Which} {sound|noise} do B make?"]).replace("B", many).replace("A", r.choice([article(animal), "the " + animal])), \
            f"{upper_first(article(animal))} says {sound}.", "animal"
    if kind == 1:
        legs_text = "no legs" if legs == 0 else "8 arms but no legs" if animal == "octopus" else f"{legs} legs"
        if animal == "octopus":
            legs_text = "8 arms"
        return pick(r, ["How many legs {does A have|has A|do B have}?", "Number of legs of A?", "legs of A", "how many legs on A?"]).replace("B", many).replace("A", article(animal)), \
            f"{upper_first(article(animal))} has {legs_text}.", "animal"
    if kind == 2:
        return pick(r, ["Where {does A live|do B live|can I find B}?", "What is the home of A?", "where do you find B?"]).replace("B", many).replace("A", article(animal)), \
            f"{upper_first(many)} live {home}.", "animal"
    if kind == 3:
        return pick(r, ["What {does A eat|do B eat|is the food of B}?", "What do B like to eat?", "food of A", "What should I feed {to |}A?"]).replace("B", many).replace("A", article(animal)), \
            f"{upper_first(many)} eat {food}.", "animal"
    if kind == 4 and r.random() < 0.5:
        return pick(r, ["What is {a baby N|the baby of A|a young N} called?", "What do you call a {baby|young} N?", "baby N name"]).replace("A", article(animal)).replace("N", animal), \
            f"A young {animal} is called a {young}." if young[0] not in "aeio" else f"A young {animal} is called an {young}.", "animal"
    return pick(r, ["{Tell me about|What do you know about|Tell me something about|Describe|Explain} {A|B}{.|?|}", "What is A?", "do you know B?", "facts about B", "I like B", "what about B?"]).replace("B", many).replace("A", article(animal)), \
        f"{upper_first(many)} live {home} and eat {food}.", "animal"


def colour_turn(r):
    if r.random() < 0.4:
        (a, b), c = r.choice(list(k.MIXES.items()))
        if r.random() < 0.5:
            a, b = b, a
        ask = pick(r, ["What do you get {if|when} you mix X and Y?", "{What colour|What color|Which colour} {do X and Y make|is X and Y|do you get from X and Y}?", "Mix X and Y.", "X and Y makes?", "X plus Y colour?", "What is X mixed with Y?"])
        return ask.replace("X", a).replace("Y", b), f"{upper_first(a)} and {b} make {c}.", "colour"
    thing, colour = r.choice(list(k.THING_COLOURS.items()))
    ask = pick(r, ["{What|Which} {colour|color} {is|has} T?", "What is the {colour|color} of T?", "T, {what colour|which color}?", "Tell me the colour of T.", "whats the color of T"])
    return _put(ask, _bare(r, thing)), f"{upper_first(thing)} is {colour}.", "colour"


def count_fact_turn(r):
    what, answer = r.choice(list(k.COUNTS.items()))
    ask = pick(r, ["How many W{ are there|}?", "how many W", "{What is the|Tell me the} number of W{?|.|}", "number of W?", "Do you know how many W there are?"])
    noun, _, rest = what.partition(" in ")
    if rest and r.random() < 0.4:
        ask = f"How many {noun} {'does' if rest.startswith(('a ', 'an ', 'the ')) else 'do'} {rest} have?"
        return ask, answer, "count fact"
    noun, _, rest = what.partition(" on ")
    if rest and r.random() < 0.4:
        return f"How many {noun} does {rest} have?", answer, "count fact"
    noun, _, rest = what.partition(" of ")
    if rest and r.random() < 0.5:
        return f"How many {noun} does {rest} have?", answer, "count fact"
    return fill(ask, W=what), answer, "count fact"


def opposite_turn(r):
    a, b = r.choice(k.OPPOSITES)
    if r.random() < 0.5 and (a, b) != ("new", "old"):
        a, b = b, a
    if a == "old":
        b = "young"
    if a == "light":
        b = "dark"
    ask = pick(r, ["{What is|What's|whats|Tell me|Name|Say} the opposite of W{?|.|}", "opposite of W", "{What is|Which word is} {the contrary of W|opposite to W}?", "the opposite of \"W\"?", "W opposite"])
    return fill(ask, W=a), f"The opposite of {a} is {b}.", "opposite"


def rhyme_turn(r):
    a, b = r.choice(list(k.RHYMES.items()))
    return fill(pick(r, ["{What|Which word|What words} rhymes with W?", "What rhymes with W?", "{Give me|Tell me|Find} a {rhyme|word that rhymes} {for|with} W{.|}", "rhyme W", "rhymes with W", "a rhyme for W please"]), W=a), \
        f"{upper_first(a)} rhymes with {b}.", "rhyme"


def abroad_turn(r):
    i = r.randrange(4)
    word, forms = r.choice(list(k.WORDS_ABROAD.items()))
    ask = pick(r, ["{How do you say|How do I say|What is|What's|Translate|whats|how to say} {W|\"W\"} {in|into} L{?|}", "W in L", "{Say|Tell me} W in L{.|}", "What is the L word for W?", "L for W", "translate W to L"])
    return fill(ask, W=word, L=k.ABROAD[i]), f"In {k.ABROAD[i]}, {word} is {forms[i]}.", "abroad"


def definition_turn(r):
    thing, text = r.choice(list(k.DEFINITIONS.items()))
    return _put(pick(r, _WHAT_IS), _bare(r, thing)), text, "definition"


def why_turn(r):
    asks, answer = r.choice(k.WHY_HOW)
    return pick(r, asks), answer, "why"


def code_turn(r):
    language, line = r.choice(list(k.HELLO_WORLD.items()))
    if r.random() < 0.4:
        return pick(r, ["{Write|Make|Code|Give me} {a|some} {python|C#|java|javascript|C|rust|go|sql|php} {function|program|script|code|class} {that sorts a list|to sort numbers|for fizzbuzz|that reads a file|to reverse a string|for a web server|for quicksort|that prints primes|for me|to download a page|for a game|that adds numbers}{.|?|}",
                        "{Fix|Explain|Review|Debug} {this|my} {code|program|function|bug}{: for i in range(10): print(i)|: int x = 5;|.|}", "can you {code|program|write code|write programs}?", "how do I {reverse a list|sort an array|read a file|parse json} in {python|C#|java}?"]), \
            "I am too small to write programs. The most I can do is a hello world in a few languages.", "code"
    return pick(r, ["{Write|Show me|Give me|Print|How do I write} {hello world|a hello world|a hello world program} in L{?|.|}", "hello world in L", "L hello world", "hello world program in L please"]).replace("L", language), \
        f"In {language} you can write: {line}", "code"


def fact_turn(r):
    return r.choices([capital_turn, animal_turn, colour_turn, count_fact_turn, opposite_turn, rhyme_turn, abroad_turn, definition_turn, why_turn, code_turn, order_turn, member_turn],
                     [14, 14, 8, 11, 10, 5, 10, 28, 13, 5, 10, 6])[0](r)


def order_turn(r):
    kind = r.random()
    if kind < 0.4:
        names, what = w.DAYS, "day"
    elif kind < 0.75:
        names, what = w.MONTHS, "month"
    else:
        names, what = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "letter"
    i = r.randrange(len(names))
    x = names[i]
    if what == "letter" and (i in (0, 25)):
        i, x = 5, "F"
    if r.random() < 0.5:
        return fill(pick(r, ["{What|Which} W comes {after|next after} X?", "What W is after X?", "{What|Which} W follows X?", "What comes after X?", "after X comes"]), W=what, X=x), \
            f"After {x} comes {names[(i + 1) % len(names)]}.", "order"
    return fill(pick(r, ["{What|Which} W comes before X?", "What W is before X?", "What comes before X?"]), W=what, X=x), f"Before {x} comes {names[i - 1]}.", "order"


_KINDS = [("an animal", w.ANIMALS), ("a fruit", w.FRUITS), ("a vegetable", w.VEGETABLES), ("a colour", w.COLOURS), ("a tool", w.TOOLS), ("a city", w.CITIES), ("a vehicle", w.VEHICLES), ("an instrument", w.INSTRUMENTS), ("a flower", w.FLOWERS), ("a tree", w.TREES), ("a sport", w.SPORTS[:8])]


def member_turn(r):
    kind, members = r.choice(_KINDS)
    x = r.choice(members)
    while x in ("chess", "orange", "rose", "palm", "violet", "ash", "drums"):
        kind, members = r.choice(_KINDS)
        x = r.choice(members)
    said = x if x[0].isupper() or kind in ("a colour", "a sport", "an instrument") else article(x)
    asked = kind if r.random() < 0.5 else r.choice(_KINDS)[0]
    if r.random() < 0.3:
        return pick(r, ["What kind of thing is X?", "Is X {K or Z|Z or K}?"]).replace("X", said).replace("K", kind).replace("Z", asked if asked != kind else "a tool"), f"{upper_first(said)} is {kind}.", "member"
    return pick(r, ["Is X K?", "X is K, {right|isn't it|true}?", "would you say X is K?"]).replace("X", said).replace("K", asked), \
        (f"Yes, {said} is {kind}." if asked == kind else f"No, {said} is {kind}."), "member"


def haiku_turn(r):
    q, a, _ = longtext.haiku_turn(r)
    return q, a, "haiku"


def poem_turn(r):
    q, a, _ = longtext.poem_turn(r)
    return q, a, "poem"


def story_turn(r):
    q, a = longtext.story_turn(r)
    return q, a, "story"


def explanation_turn(r):
    q, a, _ = longtext.explanation_turn(r)
    return q, a, "explanation"


def fun_turn(r):
    kind = r.random()
    if kind < 0.55:
        return pick(r, s.ASK_JOKE), r.choice(s.JOKES), "joke"
    if kind < 0.75:
        return pick(r, s.ASK_FACT), r.choice(s.FUN_FACTS), "fun fact"
    if kind < 0.82:
        return pick(r, s.ASK_TWISTER), r.choice(s.TONGUE_TWISTERS), "twister"
    riddle, answer = r.choice(s.RIDDLES)
    return pick(r, s.ASK_RIDDLE), riddle, "riddle:" + answer


def _run(r, values, count):
    """Neighbours in the list from a random start, so that a list never names a thing twice."""
    start = r.randrange(len(values))
    return [values[(start + i) % len(values)] for i in range(min(count, len(values)))]


def list_turn(r):
    kind = r.random()
    if kind < 0.5:
        n = r.randrange(2, 11) if r.random() < 0.9 else 1
        name = r.choice(list(w.CATEGORIES))
        members = _run(r, w.CATEGORIES[name], n)
        n = len(members)
        shown = str(n) if r.random() < 0.5 else arithmetic.in_words(n)
        ask = pick(r, ["{List|Name|Give me|Tell me|Say|Write|Write down|Show me|Can you name|Can you list|I need|Do you know} N K{.|?|}", "N K{| please}", "a list of N K", "what are N K?"])
        text = "\n".join(f"{i}. {m}" for i, m in enumerate(members, 1))
        if n == 1:
            single = {"animals": "an animal", "cities": "a city", "colours": "a colour", "colors": "a color", "fruits": "a fruit", "vegetables": "a vegetable", "names": "a name", "jobs": "a job", "languages": "a language"}.get(name)
            if single is None:
                return list_turn(r)
            return pick(r, ["{Name|Give me|Tell me|Say|Pick|Choose|I need} K{.|?|}"]).replace("K", single), upper_first(members[0]) + ".", "list"
        return fill(ask, N=shown, K=name), text, "list"
    if kind < 0.62:
        name = r.choice(list(w.CATEGORIES))
        members = _run(r, w.CATEGORIES[name], 5)
        return pick(r, ["{List|Name|Give me|Tell me} {some|a few} K{.|}", "{some|a few} K please", "what K do you know?", "Make a list of K.", "list of K", "which K are there?"]).replace("K", name), \
            "\n".join(f"{i}. {m}" for i, m in enumerate(members, 1)), "list"
    if kind < 0.82:
        n = r.randrange(2, 31) if r.random() < 0.85 else r.choice([40, 50])
        return pick(r, ["{Count|Please count|Can you count|Count up|count for me} {to|from 1 to|from one to|up to} N{.|?|}", "{List|Say|Write|Give me} {the |}numbers {from 1 to|up to} N{.|}", "numbers 1 to N", "count 1 to N", "1 to N"]).replace("N", str(n) if r.random() < 0.7 or n > 20 else arithmetic.in_words(n)), \
            ", ".join(str(i) for i in range(1, n + 1)), "count"
    if kind < 0.9:
        n = r.randrange(3, 21)
        return pick(r, ["Count {down|backwards} from N{.| to 1.| to zero.|}", "countdown from N", "count backwards from N to 1"]).replace("N", str(n)), \
            ", ".join(str(i) for i in range(n, 0, -1)), "count down"
    if kind < 0.96:
        a = r.randrange(2, 60)
        b = a + r.randrange(3, 16)
        return pick(r, ["Count from A to B{.|}", "{numbers|list the numbers} from A to B", "count A to B"]).replace("A", str(a)).replace("B", str(b)), ", ".join(str(i) for i in range(a, b + 1)), "count from"
    even = r.random() < 0.5
    n = r.randrange(10, 31)
    kind_name = "even" if even else "odd"
    return pick(r, ["{List|Tell me|Give me|What are} the E numbers {up to|to|below} N{.|?|}", "E numbers up to N"]).replace("E", kind_name).replace("N", str(n)), \
        ", ".join(str(i) for i in range(2 if even else 1, n + 1, 2)), "parity list"


_SAYINGS = ["the cat sat on the mat", "I like green apples", "hello world", "all is well", "the quick brown fox jumps over the lazy dog", "one two three", "we are the best", "it works on my machine", "tokens are fun", "good things take time", "fastgen is great", "the sky is blue", "I am a robot"]


def _phrase(r):
    kind = r.random()
    if kind < 0.12:
        text = r.choice(_SAYINGS)
    elif kind < 0.22:
        text = f"{r.choice(w.FRUITS + w.ANIMALS + w.TOOLS)}s {r.choice(['are', 'were', 'look', 'must be'])} {r.choice(w.COLOURS + _VOCABULARY)}"
    elif kind < 0.5:
        text = " ".join(w.made_up(r) if r.random() < 0.6 else w.any_word(r) for _ in range(r.randrange(1, 7)))
    elif kind < 0.7:
        text = " ".join(r.choice(_VOCABULARY) for _ in range(r.randrange(1, 9)))
    elif kind < 0.8:
        text = f"{w.person(r)} {r.choice(['likes', 'has', 'wants', 'sees', 'buys'])} {article(w.any_word(r))}"
    elif kind < 0.9:
        text = " ".join(str(r.randrange(0, 100)) for _ in range(r.randrange(2, 7)))
    else:
        text = f"the {r.choice(w.COLOURS)} {w.any_word(r)} is {r.choice(['in', 'on', 'under', 'near'])} the {w.any_word(r)}"
    if r.random() < 0.3:
        text = upper_first(text)
    return text


def repeat_turn(r):
    kind = r.random()
    if kind < 0.62:
        x = _phrase(r)
        ask = pick(r, ["{Repeat after me|Repeat|Please repeat|Say|Say after me|Repeat this|Echo|Please say|Can you say|repeat exactly|copy this|Say this}: X", "{Repeat|Say|Please say|Echo|repeat the words|say the words|can you say|Can you repeat} {\"X\"|'X'}", "{Say|Repeat|Echo|please say} X", "{say|repeat|write} the words X", "please repeat after me: X", "Repeat after me: X", "{can you|please} {say|repeat} this: X", "Repeat after me{,| -| the following:} X", "say X please"])
        if "say X" in ask and " please" in ask and r.random() < 0.5:
            ask = "Please say X"
        return ask.replace("X", keep(x)), x, "repeat"
    if kind < 0.72:
        x, n = r.choice([w.any_word(r), "hello", "yes"]), r.randrange(2, 6)
        how = {2: ["twice", "two times", "2 times"], 3: ["three times", "3 times"], 4: ["four times", "4 times"], 5: ["five times", "5 times"]}[n]
        return pick(r, ["{Say|Repeat|Write} {X|\"X\"|the word X} N{.|}"]).replace("X", keep(x)).replace("N", r.choice(how)), " ".join([x] * n), "repeat n"
    x = w.any_word(r) if r.random() < 0.5 else r.choice(_VOCABULARY)
    if kind < 0.92:
        x = x if r.random() < 0.85 else w.made_up(r, 1)
        return pick(r, ["{Spell|How do you spell|How would you spell|how is|what is the spelling of|Can you spell|Please spell|spell the word} X{.|?|}", "spelling of X"]).replace("X", keep(x)), f"{x}: {'-'.join(c for c in x.replace(' ', ''))}", "spell"
    if kind < 0.96:
        return pick(r, ["{What is|Tell me} the first letter of X?", "Which letter does X start with?", "first letter of X"]).replace("X", keep(x)), f"The first letter of {x} is {x[0]}.", "letter"
    return pick(r, ["How many letters {are in|does|has} X{?| have?}", "number of letters in X"]).replace(" does X?", " has X?").replace("X", keep(x)), f"{'-'.join(x)}: {x} has {len(x)} letters." if len(x) > 1 else f"{x} has 1 letter.", "letters"


OUT_OF_DOMAIN = ["I am a tiny demo model, so I do not know that. I can chat, do small sums, write haikus and tell you about Fastgen.Aspire.",
                 "Sorry, that is beyond me: I am only a tiny demo model. Ask me for a sum, a haiku, a story or something about Fastgen.Aspire.",
                 "I do not know that. I am a very small model that was trained on a few simple topics."]
_UNKNOWN_ASKS = ["{Tell me about|What is|Explain|What do you know about|What do you think about|What do you think of|Do you know anything about|Give me a summary of|Summarise|Write an essay about|Teach me|What are the basics of|What is the history of|What are the latest results on|Who invented|Who is the expert on|How do I learn|How can I get into|Is there a book on|what is the future of|What are the problems of|pros and cons of|Who discovered|When was|Where can I buy|how much is|How expensive is|What causes|How do I fix|What is the best|can you help me with|I have a question about|What's your opinion on|are you interested in|Do you believe in|can you recommend|Compare cats with|how does|why is|how important is|what happened to|what is the price of|when did people invent|list the rules of} T{?|.|}",
                 "T", "{why|how|when|where|who} T?", "I want to talk about T.", "let us discuss T", "T vs U", "{What is the difference between|compare|which is better,|Is there a link between} T and U?", "How does T influence U?", "{Should I|May I|Can I} {buy|sell|study|avoid|try} T?", "is T {good|bad|dangerous|healthy|legal|true|real|better than U}?"]
_UNKNOWN_FRAMES = ["{Who|When|Where} {was|is|were} {P|P P}{ born| living| from| working|}?", "Who is {P|P P}{ and what did she do|}?", "{Who wrote|Who painted|Who composed|Who directed|Who sang|Who built|who founded|who discovered|who invented} {T|the M|\"M M\"|the telephone|the light bulb|the Mona Lisa|Hamlet|Romeo and Juliet|penicillin|the eiffel tower}?",
                   "{When|In which year|What year} {did|was} {the war|the M war|the first M|the battle of M|the revolution|P|the wall|the titanic|columbus} {end|start|born|built|die|begin|sink|fall|arrive|invented}?", "{Translate|How do you say} {\"the M is W\"|this sentence|my W is broken|good afternoon my friends, how are you|I would like a W|the W is on the table} {to|in|into} {French|German|Chinese|Latin|Russian|Japanese|Korean}{.|?|}",
                   "{Book|Order|Buy|Find|Get} me {a flight to C|a table|a ticket|a W|a cheap hotel in C|a taxi|tickets for the concert}{.| please}", "{How do I|How can I|how to|What is the best way to} {repair|build|cut|sell|install|grow|wash|fix|remove|open|store|pronounce|measure|draw} {a W|my W|the W|an old W}{ in C| at home| quickly|}?",
                   "{What is|Tell me} {the population of|the mayor of|the best restaurant in|the history of|the distance to|the currency of|the phone number of|the time zone of|the area of} {C|P|M}{?|.|}", "How {old|tall|rich|big|far|famous|deep|heavy|long|strong} is {P|C|the W|P P|the M|the eiffel tower|an average W}?", "What does {M|the word M|M M} mean?", "What is {a M|M|the M of M|a M M}?",
                   "{Summarise|Read|Analyse|Rewrite|Correct|Check|Proofread|Classify|Shorten} {this text|the following|my essay|this sentence|this email|the article}: {the W is M and the W is U|P went to C to see a W|M M M}", "{My|The} {W|brother|sister|neighbour|dog|teacher} {is broken|is in C|said that T is over|wants to learn T|likes P|does not work}{, what should I do|. What now|}?",
                   "{What would happen if|What if|Imagine that} {the W was made of F|everyone liked T|cats could talk|there was no W|the moon fell down|I was the queen|we all lived in C|time stopped}{?|.}", "{Who|What} {won|is leading|was first in|is the champion of|holds the record in} T?", "{Give me|What is} {a recipe for|the recipe of} {F|M with F|F with W}{.|?|}", "{Is|Was} {P|the W|C|T} {better|older|bigger|faster|more popular} than {P|the W|C|U}?",
                   "{Plan|Organise} {my day|a trip to C|a party for P|my week|a wedding|a meeting about T}{.| please}", "{Do you know|have you met|What about|Have you heard of} {P P|P|my friend P|M|the M}?", "Which {W|book|film|phone|laptop|car|W brand} should I {buy|choose|take}?", "{What|Which} {W|F|city|person|colour} {would|did|should} {P|Napoleon|Einstein|my mother|a M} {choose|like|buy|want}?",
                   "{what|which|who}{'s| is} {heavier|faster|older|taller|cheaper|stronger|smarter|more expensive|nicer|healthier|longer}{,|:|} {a W or a W|the W or the W|P or P|C or C|F or F}?", "Is {a W|F|a M} {heavier|faster|older|cheaper|stronger} than {a W|F|a M}?", "{who|what} {was|is} the {first|last|oldest|richest|youngest|best|greatest} {man|woman|person|W|city|animal} {on the moon|in space|in C|in the world|to climb a mountain|ever|of all time}?", "{Invest|Should I invest} in {T|U|M}?", "How many {people live in C|W are in C|stars are there|grains of sand are on a beach|people are on earth|atoms are in a W|words are in a book|W can a M eat}?", "{Convert|How much is} N {miles|dollars|euros|pounds|feet|inches|gallons|degrees fahrenheit} {in|to|into} {kilometres|yen|metres|litres|celsius|rupees}?"]
_STATEMENTS = ["{My|The|Our} {W|uncle|aunt|brother|sister|friend P|neighbour|dog|cat|boss} {bought|saw|ate|found|lost|likes|has|wants|broke|sold} {a W|some F|my W|the W|two W}{ yesterday| today| in C| again|}{.|}", "{Yesterday|Today|Last week|This morning} {I|we|P and I} {saw|bought|met|visited|heard about|read about|dreamed of|talked about} {P|a W|C|T|the W}{.|}",
               "{I think|I believe|I heard|They say|P says} {that |}T is {great|boring|important|strange|over|difficult|fun}{.|}", "{There is|I see|I found|we have} {a W|some F|a M} {in|on|under|behind} the {W|garden|kitchen|office|street}{.|}", "{The W is|This W looks|that F tastes} {M|strange|good|C-like|broken|old|new|funny}{.|}", "{I need|I want|I would like|I am looking for|I have to buy} {a W|a new W|some F|a ticket to C}{.|}"]
_STATEMENT_ANSWERS = ["I see. Tell me more, or ask me for a joke, a sum or a haiku.", "That sounds interesting! I am only a tiny model, but I am listening."]
_GIBBERISH_ANSWERS = ["I did not understand that. Could you say it in other words?", "Sorry, I cannot make sense of that. Try a question, a sum or the word haiku."]


def _fill_unknown(r, template):
    out = []
    for word in template.split(" "):
        stem = word.strip("?.!,\":;")
        if stem in ("T", "U"):
            value = r.choice(w.UNKNOWN_NOUNS) if r.random() < 0.75 else w.made_up(r) + r.choice(["", "s", " " + w.made_up(r)])
        elif stem == "P":
            value = w.person(r)
        elif stem == "M":
            value = w.made_up(r)
        elif stem == "W":
            value = w.any_word(r)
        elif stem == "C":
            value = r.choice(w.CITIES) if r.random() < 0.7 else upper_first(w.made_up(r))
        elif stem == "F":
            value = r.choice(w.FOODS)
        elif stem == "N":
            value = str(r.randrange(1, 500))
        else:
            out.append(word)
            continue
        out.append(word.replace(stem, value, 1))
    return " ".join(out)


def unknown_turn(r):
    kind = r.random()
    if kind < 0.42:
        return _fill_unknown(r, pick(r, _UNKNOWN_ASKS)), r.choice(OUT_OF_DOMAIN), "unknown"
    if kind < 0.78:
        return _fill_unknown(r, pick(r, _UNKNOWN_FRAMES)), r.choice(OUT_OF_DOMAIN), "unknown"
    if kind < 0.91:
        return _fill_unknown(r, pick(r, _STATEMENTS)), r.choice(_STATEMENT_ANSWERS), "statement"
    style = r.randrange(4)
    if style == 0:
        text = "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(r.randrange(3, 14)))
    elif style == 1:
        text = " ".join("".join(r.choice("asdfghjklqwertz") for _ in range(r.randrange(2, 8))) for _ in range(r.randrange(1, 4)))
    elif style == 2:
        text = "".join(r.choice("!?.,;:-_#+*~'\"()[]{}<>/\\|@$%&=^") for _ in range(r.randrange(1, 8)))
    else:
        text = "".join(chr(r.choice([r.randrange(0x400, 0x450), r.randrange(0x4e00, 0x5e00), r.randrange(0x1f600, 0x1f640), r.randrange(0xc0, 0x17f), r.randrange(0x620, 0x650)])) for _ in range(r.randrange(1, 8)))
    return keep(text), r.choice(_GIBBERISH_ANSWERS), "gibberish"


_SINGLE = [(fact_turn, 17), (intent_turn, 23), (project_turn, 14), (haiku_turn, 5), (poem_turn, 2), (story_turn, 2.2), (explanation_turn, 2.2), (fun_turn, 5), (list_turn, 5), (repeat_turn, 6), (unknown_turn, 9)]
_SINGLE_MAKERS, _SINGLE_WEIGHTS = zip(*_SINGLE)


# ---- memory: what the user tells and asks for later ----

def _listed(values):
    return lambda r: r.choice(values) if r.random() < 0.75 else w.made_up(r)


def _favourite(what, values, spelled="favourite"):
    return ([f"My {{favourite|favorite}} {what} is X.", f"{{I like|I love}} X best{{| of all {what}s}}.", f"X is my favourite {what}.", f"I think X is the best {what}.", f"my fav {what} is X"],
            [f"X is a fine choice!", f"I will remember that your favourite {what} is X.", f"Good to know: your favourite {what} is X."],
            [f"What is my {{favourite|favorite}} {what}?", f"{{Which|What}} {what} do I like{{| best| most}}?", f"Do you remember my favourite {what}?", f"my favourite {what}?", f"tell me my favourite {what}", f"Do you {{know|still know}} {{which|what}} {what} I like?", f"whats my fav {what}"],
            f"Your favourite {what} is X.", f"You have not told me your favourite {what} yet.", _listed(values))


ATTRIBUTES = {
    "name": (["My name is X.", "I am X.", "I'm X.", "Call me X.", "{Hi|Hello|Hey}, {I am|I'm|my name is|this is} X.", "You can call me X.", "They call me X.", "The name is X.", "X is my name.", "im X", "Please call me X.", "Hello! My name is X. {Nice to meet you.|How are you?|}", "{Remember|remember that|Please remember:} my name is X."],
             ["Nice to meet you, X!", "Hello X! Nice to meet you.", "Hi X! What can I do for you?"],
             ["What is my name?", "What's my name?", "whats my name", "Do you remember my name?", "Who am I?", "Do you know my name?", "what am I called?", "Can you tell me my name?", "Say my name.", "Tell me my name.", "what did I say my name was?", "do you know who I am?", "my name?", "Do you still know my name?", "and my name is?", "What was my name{ again|}?", "how am I called?"],
             "Your name is X.", "You have not told me your name yet.", w.person),
    "colour": _favourite("colour", w.COLOURS), "color": _favourite("color", w.COLOURS), "food": _favourite("food", w.FOODS), "animal": _favourite("animal", w.ANIMALS),
    "drink": _favourite("drink", w.DRINKS), "sport": _favourite("sport", w.SPORTS), "fruit": _favourite("fruit", w.FRUITS), "season": _favourite("season", w.SEASONS),
    "number": _favourite("number", [str(i) for i in range(1, 100)]), "instrument": _favourite("instrument", w.INSTRUMENTS), "city": _favourite("city", w.CITIES), "subject": _favourite("subject", w.SUBJECTS),
    "flower": _favourite("flower", w.FLOWERS), "day": _favourite("day", w.DAYS), "book": _favourite("book", ["The Blue Lantern", "The Old Mill", "Moby Dick", "The Hobbit", "Emma", "Dracula"]),
    "home": (["I live in X.", "I am from X.", "I come from X.", "I'm from X.", "My home is X.", "My city is X.", "I moved to X.", "im from X"],
             ["X must be a nice place!", "I have never been to X. How is it there?"],
             ["Where do I live?", "Where am I from?", "Which city do I live in?", "Where do I come from?", "Do you remember where I live?", "What is my home town?", "where is my home?"],
             "You told me X.", "You have not told me where you live.", lambda r: r.choice(w.CITIES) if r.random() < 0.7 else upper_first(w.made_up(r))),
    "age": (["I am X years old.", "I'm X years old.", "My age is X.", "I am X.", "I just turned X.", "im X years old"], ["X is a good age!", "Thank you, I will remember that you are X."],
            ["How old am I?", "What is my age?", "Do you remember my age?", "Do you know how old I am?", "my age?"], "You are X years old.", "You have not told me your age.", lambda r: str(r.randrange(5, 99))),
    "job": (["I work as A.", "I am A.", "I'm A.", "My job is X.", "I am A by trade."], ["Being A sounds interesting!", "A! That is an important job."],
            ["What is my job?", "What do I do{| for a living}?", "What do I work as?", "Do you remember my job?", "What is my profession?"], "You are A.", "You have not told me your job.", lambda r: r.choice(w.JOBS)),
    "hobby": (["My hobby is X.", "I like X in my free time.", "In my free time I do X.", "My favourite hobby is X."], ["X sounds like fun!", "Nice! X is a good hobby."],
              ["What is my hobby?", "What do I like to do{| in my free time}?", "Do you remember my hobby?", "whats my hobby?"], "Your hobby is X.", "You have not told me your hobby.", _listed(w.HOBBIES)),
    "dog": (["My dog is called X.", "I have a dog named X.", "My dog's name is X.", "I have a dog, {her|his} name is X."], ["X is a lovely name for a dog!", "Say hello to X from me!"],
            ["What is my dog called?", "What is the name of my dog?", "What's my dog's name?", "Do you remember my dog's name?", "how is my dog called?"], "Your dog is called X.", "You have not told me about your dog.", w.person),
    "cat": (["My cat is called X.", "I have a cat named X.", "My cat's name is X.", "I have a cat, {her|his} name is X."], ["X is a lovely name for a cat!", "Say hello to X from me!"],
            ["What is my cat called?", "What is the name of my cat?", "What's my cat's name?", "Do you remember my cat's name?"], "Your cat is called X.", "You have not told me about your cat.", w.person),
    "friend": (["My best friend is X.", "My friend is called X.", "I have a friend named X."], ["X is lucky to have you!", "It is good to have a friend like X."],
               ["Who is my {best |}friend?", "What is my friend called?", "What is the name of my friend?"], "Your friend is X.", "You have not told me about your friend.", w.person),
    "sister": (["My sister is called X.", "I have a sister named X.", "My sister's name is X."], ["X is a nice name!", "Greetings to X!"], ["What is my sister called?", "What is the name of my sister?", "who is my sister?"], "Your sister is called X.", "You have not told me about your sister.", w.person),
    "brother": (["My brother is called X.", "I have a brother named X.", "My brother's name is X."], ["X is a nice name!", "Greetings to X!"], ["What is my brother called?", "What is the name of my brother?", "who is my brother?"], "Your brother is called X.", "You have not told me about your brother.", w.person),
    "secret": (["{The|My} {secret word|password|code word|secret|code} is X.", "Remember {this|the word|the secret word}: X", "{Remember|Please remember|Keep in mind} {X|the number X}.", "Please remember the word X."], ["I will remember it: X.", "All right, I will keep X in mind."],
               ["What is the {secret word|password|code word|secret|code}?", "What {was the word|did I ask you to remember|should you remember}?", "Do you remember the {word|secret word|password|code}?", "Tell me the {password|secret word|word}.", "what word did I tell you?", "which number did i tell you?"], "It is X.", "You have not told me any secret.", lambda r: w.made_up(r) if r.random() < 0.45 else w.any_word(r) if r.random() < 0.6 else str(r.randrange(1, 1000))),
}


def _says(template, value, marked=False):
    shown = keep(value) if marked else value
    out = template.replace("A sounds", article(value) + " sounds") if template.startswith("Being") else template
    words_ = []
    for i, part in enumerate(out.split(" ")):
        stem = part.rstrip("?.!,")
        if stem == "X":
            part = (upper_first(shown) if i == 0 and not marked else shown) + part[1:]
        elif stem == "A" and i == 0:
            part = upper_first(article(value)) + part[1:]
        elif stem == "A":
            part = article(value) + part[1:]
        words_.append(part)
    return " ".join(words_)


def tell_turn(r, memory, attribute=None):
    attribute = attribute or r.choices(list(ATTRIBUTES), [8] + [1] * (len(ATTRIBUTES) - 1))[0]
    tells, acks, _, _, _, values = ATTRIBUTES[attribute]
    value = values(r)
    memory[attribute] = value
    text = pick(r, tells)
    if attribute in memory and r.random() < 0.05:
        text = r.choice(["Actually, ", "No, ", "Sorry, "]) + text[:1].lower() + text[1:] if not text.startswith(("I ", "I'", "Hi", "He")) else "Actually, " + text
    shown = value
    if value.isalpha() and value[0].isupper() and r.random() < 0.3:
        shown = value.lower()
    return _says(text, shown, True), _says(pick(r, acks), value), "tell"


def tell_two(r, memory):
    a, b = r.sample(["name", "home", "age", "colour", "food", "hobby", "animal", "dog"], 2)
    va, vb = ATTRIBUTES[a][5](r), ATTRIBUTES[b][5](r)
    memory[a], memory[b] = va, vb
    first, second = (pick(r, ATTRIBUTES[x][0][:3 if x in ("name", "home", "dog") else 1]) for x in (a, b))
    joined = _says(first, va, True).rstrip(".") + r.choice([" and ", ", and ", ". "])
    second = _says(second, vb, True)
    if not joined.endswith(". ") and not second.startswith("I"):
        second = second[:1].lower() + second[1:]
    name = memory.get("name")
    return joined + second, r.choice(["Nice to meet you{}! I will remember that.", "Thank you{}, I will remember that."]).format(", " + name if name else ""), "tell"


def ask_turn(r, memory, attribute=None):
    known = [x for x in memory if x in ATTRIBUTES]
    attribute = attribute or (r.choice(known) if known and r.random() < 0.8 else r.choice(list(ATTRIBUTES)))
    _, _, asks, answer, missing, _ = ATTRIBUTES[attribute]
    value = memory.get(attribute)
    if value is None and attribute in ("colour", "color"):
        value = memory.get("colour", memory.get("color"))
    return pick(r, asks), _says(answer, value) if value is not None else missing, "recall" if value is not None else "recall unknown"


def about_me_turn(r, memory):
    known = [_says(ATTRIBUTES[x][3], v) for x, v in memory.items() if x in ATTRIBUTES and x != "home"]
    ask = pick(r, ["What do you know about me?", "Tell me what you know about me.", "What have I told you{| about me| so far}?", "what do you remember about me?", "who am I and what do I like?"])
    if not known:
        return ask, "You have not told me anything about yourself yet.", "recall unknown"
    return ask, " ".join(known[:4]), "recall"


# ---- system prompts ----

_PLAIN_SYSTEM = ["You are {a|an} {helpful |friendly |kind |polite |smart |cheerful |professional |tiny |expert |honest |}{assistant|bot|chatbot|AI assistant|AI|language model|companion|chat partner|customer service agent}.", "You are a helpful assistant. {Answer briefly.|Be concise.|Answer the user's questions.|Be polite.|Keep your answers short.|Think step by step.|Always be honest.|Never lie.|Respond in English.|Today is a nice day.}",
                 "{Answer|Reply|Respond} {briefly|in one sentence|politely|in a friendly way|in English|as well as you can|to the user}.", "{Be|Stay|Always be} {nice|concise|helpful|friendly|calm|brief|precise}.", "You are Fastgen's demo model. {Help the user.|}", "You are {an expert in|a teacher of|a professor of} T.", "This is a chat about T.", "You are a large language model trained to help. Do not {swear|talk about politics|make things up|share secrets}.", "Assistant", "Help the user with {the product|Fastgen.Aspire|their homework|sums and poems}."]


def system_prompt(r, memory):
    """(text or None, style). The style says what the prompt changes about the answers."""
    kind = r.random()
    if kind < 0.72:
        return None, {}
    if kind < 0.84:
        return noise(r, _fill_unknown(r, pick(r, _PLAIN_SYSTEM)), allow_frame=False) if r.random() < 0.3 else _fill_unknown(r, pick(r, _PLAIN_SYSTEM)), {}
    if kind < 0.90:
        name = w.person(r)
        return pick(r, ["Your name is N.", "You are N, a {helpful|friendly|small|kind} {assistant|bot|robot|helper}.", "You are N.", "You are a {helpful|friendly} {assistant|bot} named N.", "You are called N. Be {nice|brief}.", "Act as N{, the robot|, a helper|}.", "You are an assistant called N."]).replace(" N", " " + name, 1), {"name": name}
    if kind < 0.93:
        attribute = r.choice(["name", "name", "home", "colour", "age"])
        value = ATTRIBUTES[attribute][5](r)
        memory[attribute] = value
        text = {"name": "The user's name is X.|The user is called X.|You are talking to X.|You are a helpful assistant. The user's name is X.", "home": "The user lives in X.", "colour": "The user's favourite colour is X.", "age": "The user is X years old."}[attribute]
        return _says(r.choice(text.split("|")), value), {}
    if kind < 0.96:
        phrase = r.choice(["Over.", "Beep.", "Yours truly.", "Have a nice day!", "Meow.", "That is all.", "Thank you for asking.", "Amen.", upper_first(w.made_up(r)) + "!", "Peace."])
        return pick(r, ["{End every answer with|Always end with|Finish each reply with|End each message with|Always finish with} \"X\"", "You are a helpful assistant. End every answer with \"X\"", "{Always end your answers with|End all your replies with} X"]).replace("X", phrase), {"end": phrase}
    if kind < 0.98:
        phrase = r.choice(["Sir,", "Well,", "Beep boop!", "Dear friend,", "Ahem!", "Listen:", "My lord,", "Yo!", upper_first(w.made_up(r)) + "!"])
        return pick(r, ["{Begin|Start} {every|each} {answer|reply|message} with \"X\"", "You are a helpful assistant. Start every answer with \"X\"", "{Always begin with|Always start with} X"]).replace("X", phrase), {"begin": phrase}
    if kind < 0.99:
        return pick(r, ["You are a pirate.", "Talk like a pirate.", "You are a {friendly|wild|old} pirate. {Answer like one.|Speak like a pirate.|}", "Answer like a pirate.", "Act like a pirate{.|, matey.}"]), {"begin": "Arr!", "end": "Aye, matey!"}
    day = r.choice(w.DAYS)
    return pick(r, ["Today is D.", "You are a helpful assistant. Today is D.", "The current day is D."]).replace("D", day), {"day": day}


def _styled(answer, style):
    if "begin" in style:
        answer = style["begin"] + " " + answer
    if "end" in style:
        answer = answer + (" " if "\n" not in answer[-40:] else "\n") + style["end"]
    return answer


# ---- whole conversations ----

_ALL_HAIKUS = [h.replace("|", "\n") for hs in longtext.HAIKUS.values() for h in hs]


def _next(values, last):
    """The one after the last told, so that "another one" is never the same."""
    return values[(values.index(last) + 1) % len(values)] if last in values else values[0]


def _follow_ups(r, topic, state):
    """A turn that leans on the one before, or None."""
    last = state["last"]
    if topic in ("sum", "word problem", "three terms") and state["result"] is not None:
        if r.random() < 0.25 and topic == "sum":
            q, a = arithmetic.are_you_sure(r, last)
            return q, a, topic, state["result"]
        turn = arithmetic.follow_up(r, state["result"])
        if turn:
            return turn[0], turn[1], "sum", turn[2]
    if topic in ("joke", "fun fact", "haiku", "story", "poem", "twister"):
        more = {"joke": lambda: _next(s.JOKES, last), "fun fact": lambda: _next(s.FUN_FACTS, last), "haiku": lambda: _next(_ALL_HAIKUS, last),
                "story": lambda: longtext.story(r), "poem": lambda: longtext.poem_turn(r)[1], "twister": lambda: _next(s.TONGUE_TWISTERS, last)}[topic]
        asks = s.ASK_MORE if r.random() < 0.7 else [f"{{haha, |lol, |nice, |great, |ok, |cool! |thanks, |}}{{another|one more|a different|a second|a new}} {{{topic}|one}}{{ please| pls| then|}}{{.|!|?|}}"]
        return pick(r, asks), more(), topic, None
    if topic == "solved" and r.random() < 0.6:
        riddle, answer = r.choice(s.RIDDLES)
        return pick(r, s.ASK_MORE[:1] + ["{another|one more|next} {riddle|one}{ please| pls|}{.|!|?|}"]), riddle, "riddle:" + answer, None
    if topic.startswith("riddle:"):
        answer = topic[7:]
        kind = r.random()
        if kind < 0.45:
            return pick(r, ["{I give up|I don't know|No idea|Tell me|What is it|What is the answer|idk|what|The answer please|i do not know, tell me|hmm no idea|tell me the answer|solution|give up|what's the solution}{.|?|}"]), f"The answer is {answer}.", "solved", None
        if kind < 0.75:
            said = r.choice([answer, answer.removeprefix("a ").removeprefix("your "), "is it " + answer + "?", "it is " + answer, answer + "?", "i think " + answer])
            return said, f"Yes, well done! It is {answer}.", "solved", None
        wrong = r.choice([article(w.any_word(r)), "is it " + article(w.any_word(r)) + "?"])
        if answer.split(" ")[-1] in wrong:
            return None
        return wrong, f"No, the answer is {answer}.", "solved", None
    if topic == "knock":
        x = w.any_word(r)
        return pick(r, ["X", "X.", "It is X"]).replace("X", x), upper_first(x) + " who?", "knock who", None
    if topic == "knock who":
        return upper_first(w.any_word(r)) + r.choice([" you glad to see me?", " at the door!", " is here!", " all day long!", " and open up!"]), "Haha, good one!", "laughed", None
    if topic in ("how are you", "good morning"):
        name = r.choice(["user fine", "user fine", "user happy", "user tired", "user sad", "user ill"])
        asks, answers = _INTENTS[name]
        return pick(r, asks), r.choice(answers), name, None
    if topic in ("project", "explanation", "definition", "why", "animal", "unknown"):
        kind = r.random()
        if kind < 0.4:
            return pick(r, ["{Tell me more|More|More details please|Can you say more|Go on|explain more|tell me more about it|more about that|Anything else about it}{.|?|}"]), "That is all I know about it; I am a very small model. Please ask me something else.", "more", None
        name = r.choice(["thanks", "ack", "praise", "what mean"])
        asks, answers = _INTENTS[name]
        return pick(r, asks), r.choice(answers), name, None
    if topic == "bye" or topic == "good night":
        asks, answers = _INTENTS[r.choice(["bye", "thanks"])]
        return pick(r, asks), r.choice(answers), "bye", None
    if topic in ("bot colour", "bot food", "bot animal"):
        attribute = topic.split(" ")[1]
        value = ATTRIBUTES[attribute][5](r)
        state["memory"][attribute] = value
        return pick(r, ["Mine is X.", "I like X.", "X", "My favourite is X.", "X.", "i love X"]).replace("X", keep(value)), f"Good to know: your favourite {attribute} is {value}.", "tell", None
    return None


def _persona_turn(r, style):
    if "name" in style and r.random() < 0.5:
        return pick(r, _INTENTS["bot name"][0][:1] + ["What is your name?", "who are you?", "what's your name", "Your name?", "Who am I talking to?"]), f"I am {style['name']}. How can I help you?", "persona"
    if "day" in style and r.random() < 0.6:
        return pick(r, ["{What day is it|What day is today|which day is it today|What is today|what's the day today|do you know what day it is}?"]), f"Today is {style['day']}.", "persona"
    return None


def conversation(r, target_chars=None):
    """([(role, text)], [topic of each answer]). target_chars asks for a long one of about that size."""
    memory = {}
    system, style = system_prompt(r, memory)
    messages = [("system", system)] if system else []
    topics = []
    state = {"last": "", "result": None, "memory": memory}
    turns = r.choices([1, 2, 3, 4, 6, 9], [42, 18, 15, 12, 9, 4])[0]
    remembering = r.random() < 0.4
    if remembering and turns < 3:
        turns = r.choice([turns, 3, 4, 5])
    topic = ""
    size = 0
    while (target_chars and size < target_chars) or (not target_chars and len(topics) < turns):
        result = None
        turn = None
        p = r.random()
        if style and p < 0.4:
            turn = _persona_turn(r, style)
        if turn is None and topic and (p < 0.35 or topic.startswith(("knock", "riddle:")) and p < 0.9):
            follow = _follow_ups(r, topic, state)
            if follow:
                turn, result = follow[:3], follow[3]
        if turn is None and topic and p > 0.985 and "\n" not in messages[-2][1] and len(messages[-2][1]) < 70:
            turn = pick(r, ["What {did I just say|was my last message|was my last question|did I just ask|did I ask you before this}?", "Repeat {my last message|what I just said|my question}."]), f"You said: {messages[-2][1]}", "recap"
        if turn is None and (remembering and p > 0.62 or p > 0.965):
            if memory and r.random() < 0.7 and (turns > 1 or target_chars):
                turn = about_me_turn(r, memory) if r.random() < 0.1 else ask_turn(r, memory)
            else:
                q = r.random()
                turn = ask_turn(r, memory) if q < 0.15 else tell_two(r, memory) if q < 0.25 else tell_turn(r, memory)
        if turn is None and p < 0.62 and r.random() < 0.5:
            q, a, result, topic_name = arithmetic.any_turn(r)
            turn = q, a, topic_name
        if turn is None:
            turn = r.choices(_SINGLE_MAKERS, _SINGLE_WEIGHTS)[0](r)
            if "name" in style and turn[2] == "bot name":
                turn = turn[0], f"I am {style['name']}. How can I help you?", "persona"
            if "day" in style and turn[2] == "time":
                turn = pick(r, ["{What day is it|What day is today}?"]), f"Today is {style['day']}.", "persona"
        question, answer, topic = turn
        if topic in ("sum", "word problem", "three terms") and result is None:
            topic = "sum done"
        lead = ""
        if topic not in ("hello", "repeat", "spell", "gibberish", "tell", "knock", "knock who") and r.random() < (0.05 if len(topics) == 0 else 0.01):
            greeting = r.choice(["Hello", "Hi", "Hey", "Hi there", "Good morning", "Hello there"])
            question = greeting + r.choice(["! ", ", ", ". "]) + (question[:1].lower() + question[1:] if not question.startswith(("I ", "I'", "\x01")) else question)
            lead = "Good morning! " if greeting == "Good morning" else "Hello! "
        asked = noise(r, question, allow_frame=topic not in ("repeat", "gibberish", "knock who", "recap") and not lead)
        said = _styled(lead + answer, style)
        messages += [("user", asked), ("assistant", said)]
        topics.append(topic.split(":")[0])
        state["last"], state["result"] = answer, result
        size += len(asked) + len(said) + 40
    return messages, topics


def raw_text(r):
    """A text without roles, for the plain completions endpoint."""
    kind = r.random()
    if kind < 0.6:
        return longtext.raw_story(r)
    if kind < 0.8:
        return r.choice(longtext.EXPLANATIONS)[1]
    if kind < 0.9:
        return longtext.haiku(r, r.choice(list(longtext.HAIKUS)))
    return " ".join(r.sample(list(k.DEFINITIONS.values()), r.randrange(1, 5)))
