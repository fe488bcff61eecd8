"""Haikus, poems, stories and longer explanations, composed from parts written for this model."""

from phrasing import article, expand, fill, pick, upper_first
from words import NAMES, any_word, made_up

# Each haiku counts 5, 7 and 5 syllables.
HAIKUS = {
    "the sea": ["Grey waves reach the shore|and carry small secrets home|under a white moon", "Salt wind on my face|the tide writes a long letter|and wipes it away"],
    "the moon": ["Pale moon on the lake|a silver coin in the dark|no hand can pick up", "The moon climbs the hill|every roof in our village|wears a coat of light"],
    "the sun": ["Sun behind the hill|one last line of golden light|warms the garden wall"],
    "rain": ["Rain taps on the roof|the thirsty garden listens|and drinks every drop", "Small drops on the glass|each one carries a grey sky|slowly down the pane"],
    "snow": ["Snow falls without sound|the whole street has forgotten|where the road begins", "White field, not one step|the winter has put away|all of its colours"],
    "spring": ["A green leaf wakes up|the branch that slept all winter|remembers the sun", "Melting snow, one bird|the river clears its cold throat|and begins to sing"],
    "summer": ["Long and lazy day|a bee counts all the flowers|and loses the count"],
    "autumn": ["Red leaves leave the tree|one by one they say goodbye|and dance to the ground", "Mist over the field|a spider hangs its small pearls|on a thread of light"],
    "winter": ["Cold breath in the air|the old pond keeps its secret|under a glass lid", "Bare trees, early dark|in the window one candle|holds the night away"],
    "cats": ["Cat in the window|guards the garden from her chair|and then falls asleep", "Soft paws in the night|a shadow inside shadows|then a broken vase"],
    "dogs": ["Dog waits at the door|his whole body is one tail|when the key turns round"],
    "birds": ["First bird of the day|one small voice in the grey light|and the sun obeys"],
    "trees": ["The old oak stands still|a hundred years of weather|written in its rings"],
    "flowers": ["A poppy opens|red as a little flag in|the wide yellow field"],
    "mountains": ["The mountain is still|clouds come to ask it questions|and leave without words"],
    "the forest": ["Deep in the forest|the silence has many ears|and one small brown mouse"],
    "rivers": ["The river runs on|it never asks the old stones|if they want to come"],
    "stars": ["So many small lights|each one a far away fire|warming someone else"],
    "the night": ["The town is asleep|only the clock on the tower|still talks to the stars"],
    "the morning": ["Morning in the street|a baker opens his door|and lets out the smell"],
    "coffee": ["Steam above the cup|the morning holds its breath till|the very first sip"],
    "tea": ["Hot tea in both hands|the leaves tell their quiet tale|to the cold window"],
    "bread": ["Warm bread on the board|the knife sings a crusty song|butter melts with joy"],
    "pizza": ["Round as a full moon|cheese pulls its long golden threads|one slice is not left"],
    "love": ["Two cups on one tray|we say nothing for a while|and all has been said"],
    "friendship": ["Years without a word|the bench in the park is old|and so is our laugh"],
    "music": ["A slow piano|the room grows larger with each|note that falls like rain"],
    "time": ["The clock has two hands|and still it can not hold on|to one single day"],
    "computers": ["A small blinking light|the machine thinks through the night|no one is awake", "Zeros and then ones|somewhere in the warm dark box|a question comes home"],
    "code": ["One line in the night|it works and I know not why|I leave it alone", "A missing bracket|three hours of my quiet life|closed by one small sign"],
    "a bug": ["It works on my desk|in the cloud it falls silent|the log knows nothing"],
    "a GPU": ["The fans start to sing|ten thousand small threads wake up|one token is born"],
    "language models": ["I guess the next word|and then the word after that|is it thought, or luck?", "Seven million weights|a very small lamp at night|still it gives some light"],
    "paged attention": ["Small blocks in a row|a table knows where each lives|no byte sleeps alone"],
    "fastgen": ["Prompts stand in a queue|the engine takes a short breath|and tokens flow out"],
    "redis": ["Messages in line|a worker takes one and runs|none is ever lost"],
    "robots": ["The robot looks up|it counts the stars one by one|and then starts again"],
    "the city": ["Lights in the windows|every square a small story|none of them knows mine"],
    "trains": ["The night train rolls on|faces sleep in the window|over the dark fields"],
    "books": ["A book on my knees|outside the rain falls unheard|I am far away"],
    "the wind": ["Wind in the tall grass|a green sea without a ship|bends and stands again"],
    "clouds": ["A cloud like a sheep|it crosses the blue meadow|and turns to a whale"],
    "fish": ["A flash in the pond|the water closes its door|behind a gold fish"],
    "frogs": ["A frog on a leaf|it says the same word all night|and means it each time"],
    "bees": ["A bee on the rose|all the sweetness of summer|hangs on six thin legs"],
    "butterflies": ["White wings on the wind|the flower that learned to fly|visits the others"],
    "children": ["Boots in the puddle|a laugh as wide as the sky|and mud to the ears"],
    "my grandmother": ["Her hands smell of dough|a clock ticks in the kitchen|the jam jars are full"],
    "sleep": ["The pillow is cool|the day folds itself slowly|and lies down to rest"],
    "work": ["The inbox is full|a plant on the windowsill|leans towards the sun"],
    "monday": ["Monday at seven|the coffee and I agree|not to talk just yet"],
    "peace": ["No sound in the field|the old cannon is a nest|for a family"],
    "hope": ["In the crack of stone|a single green blade of grass|looks up at the light"],
    "the garden": ["Bean, pea and carrot|each keeps its own small promise|under the warm earth"],
    "the desert": ["Sand and only sand|a lizard writes its thin name|the wind reads it once"],
}
# Lines for any other topic; T stands for the topic. Syllables are right for the fixed parts and a topic of one or two.
_OPEN_FIRST = ["I think of T now", "T in the soft light", "A quiet T waits", "Here and there, T", "One thought about T"]
_OPEN_SECOND = ["the evening is calm and wide", "a small wind walks through the leaves", "the world holds its breath a while",
                "the old clock counts to seven", "the light falls on the table", "and the river hums along"]
_OPEN_THIRD = ["then the stars come out", "and I smile at it", "how good to be here", "and nothing is lost", "the night says goodbye",
               "all of it is ours"]
ASK_HAIKU = ["{Write|Make|Compose|Create|Tell|Give|Say|Recite} {me |us |}{a|another|one} {short |nice |beautiful |little |}haiku {about|on|of|for} T{.|!|?|}",
             "{Can you|Could you|Would you|please|Can you please} {write|make|compose|tell|give} {me |}a {nice |}haiku {about|on} T{?|.|}",
             "haiku {about|on|for} T", "{a|A} haiku about T{, please| please|}", "T haiku", "I {want|would like|need} a haiku {about|on} T{.|}",
             "haiku: T", "do you know a haiku about T?", "Write a haiku. {Topic|The topic is|Theme}: T", "haikus about T", "how about a haiku on T?", "{write|compose|I want} a haiku{,| on the} {topic|subject|theme}{:| of} T", "a haiku{,| with} something {about|with} T{| in it}", "something like a haiku about T", "let me see a haiku about T"]
ASK_HAIKU_ANY = ["{Write|Make|Compose|Tell|Give|Say|Recite} {me |us |}{a|another|one} {short |nice |beautiful |little |}haiku{.|!|?|}", "{haiku|Haiku please|a haiku|a haiku please|do you know a haiku|Can you write a haiku|can you make haikus}{?|.|!|}"]


def _topic_forms(r, topic):
    bare = topic.removeprefix("the ").removeprefix("a ").removeprefix("my ")
    forms = [topic, topic, bare]
    if topic == bare and topic.endswith("s") and len(topic) > 4 and not topic.endswith("ss"):
        forms += ["a " + (topic[:-3] + "y" if topic.endswith("ies") else topic[:-1]), topic[:-1]]
    if topic.startswith("the "):
        forms.append(bare)
    return r.choice(forms)


def haiku(r, topic):
    """Three lines on the topic, own ones where it is known."""
    topic = next((t for t in (topic, topic + "s", "the " + topic) if t in HAIKUS), topic)
    if topic in HAIKUS:
        return r.choice(HAIKUS[topic]).replace("|", "\n")
    lines = [r.choice(_OPEN_FIRST).replace("T", topic), r.choice(_OPEN_SECOND), r.choice(_OPEN_THIRD)]
    return upper_first("\n".join(lines))


def ask_haiku(r, topic):
    template = pick(r, ASK_HAIKU)
    out = []
    for word in template.split(" "):
        stem = word.rstrip("?.!,")
        out.append(topic + word[len(stem):] if stem == "T" else word)
    return " ".join(out)


def haiku_turn(r):
    if r.random() < 0.2:
        topic = r.choice(list(HAIKUS))
        return pick(r, ASK_HAIKU_ANY), r.choice(HAIKUS[topic]).replace("|", "\n"), topic
    known = r.random() < 0.7
    topic = r.choice(list(HAIKUS)) if known else any_word(r)
    return ask_haiku(r, _topic_forms(r, topic) if known else topic), haiku(r, topic), topic


# Poems: two couplets with the topic in the first line.
_COUPLETS = [("I saw {a picture|a glimpse|a trace} of T {today|one day},|and quickly it sent my worries away."),
             ("Oh T, oh T, so fine and so bright,|you shine like a lantern deep in the night."),
             ("When I think about T, I start to sing,|as birds in the garden do in spring."),
             ("There once was a T that I used to know,|it danced in the rain and it slept in the snow."),
             ("I wrote a small letter to T last year,|and whispered the words for the wind to hear.")]
_SECOND = ["The clouds drifted by and the river ran on,|and when I looked up, the long day was gone.", "So let us be merry and let us be kind,|and leave all the grey little troubles behind.",
           "And if you should ask what it means to me,|it is like a small boat on a wide blue sea.", "The stars came to listen, the moon gave a nod,|and nobody found it the tiniest bit odd.",
           "I carry it with me wherever I go,|through sunshine and showers, through high and through low."]
ASK_POEM = ["{Write|Make|Compose|Create|Tell|Give|Recite} {me |us |}{a|another|one} {short |nice |beautiful |little |}{poem|verse|rhyme|song|rap} {about|on|for} T{.|!|?|}",
            "{Can you|Could you|please} {write|make|compose} a {nice |short |}{poem|song} {about|on} T{?|}", "poem about T", "a poem about T please", "I would like a poem about T", "a rhyme about T"]


def poem_turn(r):
    topic = r.choice(list(HAIKUS)) if r.random() < 0.5 else any_word(r)
    shown = topic
    first = expand(r, r.choice(_COUPLETS)).replace("a T", article(topic) if not topic.startswith(("the ", "a ", "my ")) else topic)
    text = first.replace("T ", topic + " ").replace("T,", topic + ",") + "\n" + r.choice(_SECOND)
    if r.random() < 0.2:
        return pick(r, ["{Write|Make|Tell|Give|Recite} {me |}{a|another} {short |nice |}{poem|song|rhyme}{.|!|}", "poem{| please}", "a poem{| please}", "sing {a song|something}{| for me}", "do you know a poem?"]), \
            text.replace("|", "\n"), topic
    ask = " ".join(shown + w[1:] if w.rstrip("?.!,") == "T" else w for w in pick(r, ASK_POEM).split(" "))
    return ask, text.replace("|", "\n"), topic


ASK_STORY = ["{Tell|Write|Read|Give|Make up} {me |us |}{a|another|one} {long |short |nice |little |funny |bedtime |}{story|tale|fairy tale} {about|of|with} T{.|!|?|}", "{Can you|Could you|please|Will you} {tell|write} {me |}a {long |nice |}story {about|with} T{?|}",
             "story about T", "a {story|tale} about T please", "I want to hear a story about T", "{I would|I'd} {like|love} {to hear |}a {long |short |}{bedtime |}story about {a {brave|little|clever|sad|happy|brave little} |}T", "a {story|tale} about a {brave|little|clever|lonely|brave little|friendly} T{| please}", "tell {me |}a {short |long |}tale about a {brave|little|clever|brave little|funny} T", "tell a story of T", "a long story about T", "Once upon a time there was T"]
ASK_STORY_ANY = ["{Tell|Write|Read|Give} {me |us |}{a|another|one} {long |short |nice |little |bedtime |}{story|tale|fairy tale}{.|!|?|}", "{story|Story please|a story|story time|tell a story|Tell me a long story|I want a story|can you tell stories}{?|.|!|}"]

_HEROES = ["fox", "mouse", "owl", "bear", "rabbit", "hedgehog", "cat", "dog", "frog", "robot", "dragon", "baker", "sailor", "gardener", "girl", "boy", "crow", "turtle", "donkey", "wizard", "snail", "penguin", "pirate", "king", "queen", "princess", "clockmaker", "elephant", "lion", "squirrel"]
_TRAITS = ["curious", "brave", "shy", "cheerful", "stubborn", "clever", "sleepy", "gentle", "lonely", "very small"]
_PLACES = [("at the edge of a deep forest", "the forest"), ("in a village by the sea", "the village"), ("on a windy hill", "the hill"), ("in an old tower", "the tower"), ("on a small green island", "the island"), ("beside a slow river", "the river"), ("in a busy town", "the town"), ("behind seven mountains", "the valley")]
_LOST = [("golden key", "under the roots of an old oak"), ("silver bell", "at the bottom of a dry well"), ("blue lantern", "in the attic of the mill"), ("red kite", "high up in a pine tree"), ("little map", "inside a hollow log"), ("music box", "behind a curtain of ivy"), ("glass marble", "in the nest of a magpie"), ("warm scarf", "on the branch of an apple tree")]
_TROUBLE = [("a great storm came and blew everything away", "The rain fell for three days"), ("the river rose and nobody could cross", "The bridge was gone"), ("the winter came far too early", "Snow lay on every roof"), ("all the lights went out", "It was as dark as in a sack"), ("a strange noise came from under the ground", "Nobody dared to sleep")]
_MORALS = ["And from that day on everybody knew that a small heart can be very brave.", "So they learned that a problem shared is only half as heavy.", "And if you listen on a quiet evening, you can still hear them laugh.", "After that nobody in the whole land was ever lonely again.", "It was the best day of all, and they spoke about it for years."]


def story(r, hero=None):
    """A tale of 100 to 250 tokens about the hero."""
    hero = hero or r.choice(_HEROES)
    name, friend_name = r.sample(NAMES, 2)
    friend = r.choice([h for h in _HEROES if h != hero])
    trait = r.choice(_TRAITS)
    where, place = r.choice(_PLACES)
    lost, found = r.choice(_LOST)
    trouble, detail = r.choice(_TROUBLE)
    open_line = pick(r, ["Once upon a time there was X who lived W.", "Long ago, W, there lived X.", "There was once X. It was known to all W."])
    lines = [fill(open_line, X=f"{article(trait)} {hero} named {name}", W=where),
             pick(r, [f"Every morning {name} went out to look at the sky and to greet the neighbours.", f"{name} owned nothing but {article(lost)}, and loved it more than anything.", f"Most of all {name} liked to sit quietly and to watch the clouds."]),
             f"One day {trouble}. {detail}, and when it was over, the {lost} was gone.",
             pick(r, [f"{name} looked here and there, but could not find it.", f"{name} was sad and did not eat for a whole day.", f"\"I will find it,\" said {name}, \"even if I have to walk to the end of the world.\""])]
    lines += [f"On the road {name} met {article(friend)} called {friend_name}.",
              pick(r, [f"\"Why do you look so sad?\" asked {friend_name}. \"I have lost my {lost},\" said {name}.", f"{friend_name} had heard of the {lost} and knew every path around {place}."]),
              f"\"Then let us search together,\" said {friend_name}, \"four eyes see more than two.\""]
    if r.random() < 0.7:
        lines.append(pick(r, ["They asked the wind, but the wind only laughed. They asked the moon, and the moon pointed the way.", "They walked past three hills and two rivers, and shared the last piece of bread.", "They climbed, they crawled and they swam, and when night fell they told each other stories."]))
    lines += [f"At last they found the {lost} {found}.", pick(r, [f"{name} was so happy that the whole of {place} could hear it.", f"{name} laughed and cried at the same time, and {friend_name} did too."])]
    if r.random() < 0.6:
        lines.append(pick(r, [f"On the way home {name} said: \"The {lost} is nice, but a friend is better.\"", f"That evening they lit a fire, and {friend_name} stayed for supper."]))
    lines.append(r.choice(_MORALS))
    if r.random() < 0.4:
        split = r.randrange(3, len(lines) - 2)
        return " ".join(lines[:split]) + "\n\n" + " ".join(lines[split:])
    return " ".join(lines)


def story_turn(r):
    if r.random() < 0.35:
        return pick(r, ASK_STORY_ANY), story(r)
    hero = r.choice(_HEROES) if r.random() < 0.7 else any_word(r) if r.random() < 0.6 else made_up(r)
    shown = article(hero) if r.random() < 0.75 else hero
    return " ".join(shown + w[1:] if w.rstrip("?.!,") == "T" else w for w in pick(r, ASK_STORY).split(" ")), story(r, hero)


def raw_story(r):
    """A bare text for the completions endpoint: no roles, only a tale."""
    return story(r)


# (names of the thing, long explanation)
EXPLANATIONS = [
    (["paged attention", "PagedAttention", "the paged KV cache"], "A language model stores a key and a value for every token it has seen; that store is the KV cache. If each sequence got one large piece of memory, most of it would stay empty, because nobody knows beforehand how long an answer becomes. Paged attention cuts the cache into small blocks of fixed size instead, as an operating system cuts memory into pages. Each sequence has a block table, a list that says which blocks hold its tokens. When it grows, it takes one more free block; when it ends, its blocks are free again at once. Two sequences that begin with the same text can even share blocks, with a count of how many use each. So far more sequences fit into memory, and the GPU always has enough to do."),
    (["continuous batching", "in-flight batching"], "A GPU is only busy when it works on many sequences at once, so requests are put into batches. With static batching all requests of a batch start together, and the slots of the short ones stay empty until the longest is done. Continuous batching makes the decision anew at every step. When a sequence ends, it leaves the batch and its blocks are freed; when a new request waits and there is room, it joins at the very next step. Long prompts are cut into chunks, so that they never hold up the others. The result is that nobody waits for the slowest, and the machine makes many more tokens per second."),
    (["chunked prefill", "prefill chunks"], "Before a model can answer, it has to read the whole prompt. That work is called prefill, and for a long prompt it can take as long as a hundred decode steps. If it ran in one piece, all other streams would freeze for that time. Chunked prefill cuts the prompt into pieces. In each step the scheduler first serves the running decodes, one token each, and then fills the rest of the token budget with a chunk of a prompt. So the streams flow evenly, the GPU is well used, and the long prompt still comes through after a few steps."),
    (["tensor parallelism"], "Some models are too large for one GPU, or too slow on it. Tensor parallelism splits every weight matrix over several GPUs. Each of them computes its part of the layer at the same time, and then they add up their results in what is called an all-reduce. The scheduler runs only once and gives the same batch to all. The price is communication: two all-reduces for each layer, which a good engine hides behind other work."),
    (["how a language model works", "how language models work", "how LLMs work", "how you work inside", "large language models"], "A language model reads text as a row of tokens, small pieces of words. Each token becomes a list of numbers, and these lists pass through many layers. In every layer attention lets a token look back at the earlier ones, and a feed-forward part works on what was found. At the end the model gives a probability to each token that could come next. One is chosen, added to the text, and the whole thing starts again, until a special token says that the answer is complete. The numbers inside were learned from many examples, by making each true next token a little more likely."),
    (["the path of a request", "what happens to a request", "how fastgen works", "the architecture of fastgen", "Fastgen.Aspire"], "You send a request to the gateway, which speaks the OpenAI API. The gateway checks it and puts it into a Redis stream. A worker that has room in its KV cache pulls it from there and turns your messages into tokens. The engine then works in steps: the scheduler plans which sequences move forward, the batch is built, the model runs, and a token is sampled for each sequence. After every step the worker writes one entry with all new pieces to the reply stream of the gateway, and the gateway sends them to you as server-sent events. If the worker dies, another one claims the request and goes on where it stopped. The request is acknowledged only when its last piece is in the stream, so nothing is lost."),
    (["the water cycle", "where rain comes from", "how rain forms", "how rain is made"], "The sun warms the sea and the lakes, and some of the water rises into the air as invisible vapour. High above it is cold, and there the vapour turns into tiny drops that float as clouds. When the drops grow and become too heavy, they fall as rain, or as snow when it is cold. The rain soaks into the ground, feeds the plants and gathers in streams. The streams become rivers, the rivers run to the sea, and everything begins again. So the water that you drink today has been on this journey very many times."),
    (["how bread is made", "how to bake bread", "baking bread", "a bread recipe"], "You need flour, water, a little salt and yeast. Mix everything in a large bowl and knead the dough with your hands for about ten minutes, until it is smooth. Cover it with a cloth and let it rest in a warm place for an hour; the yeast makes small bubbles, and the dough doubles in size. Form a loaf, let it rest again for half an hour, and heat the oven well. Bake the bread for about forty minutes, until the crust is brown and it sounds hollow when you knock on it. Let it cool before you cut it, even if that is the hardest part."),
    (["how to make tea", "making tea", "how tea is made", "the perfect tea"], "Fill a kettle with fresh water and bring it to the boil. Warm the pot with a little hot water and pour that away. Put in one spoon of tea leaves for each cup and one more for the pot. Pour the water over the leaves; for green tea wait until it has cooled a little. Let black tea stand for three to four minutes and green tea for two. Then take the leaves out, pour the tea into your favourite cup, and add milk, sugar or lemon if you like. Sit down and take your time, for that is the best part of it."),
    (["how plants grow", "how a plant grows", "how a seed becomes a plant", "photosynthesis"], "A plant begins as a seed that waits in the soil. When it is warm and wet enough, the seed swells, a root grows down and a small stem grows up to the light. In the leaves there is a green substance that catches sunlight. With that energy the plant turns water from the soil and gas from the air into sugar, and gives oxygen back to us. From the sugar it builds new leaves, stems and flowers. Insects carry pollen from flower to flower, seeds form, and one day they fall to the ground and wait again."),
    (["how a computer works", "how computers work", "the inside of a computer"], "A computer has a processor, memory and storage. Programs lie in storage, and when you start one, it is copied into memory. The processor reads one instruction after another: take this number, add that one, compare, jump to another place. Each instruction is tiny, but billions of them run every second. All data, be it a letter, a picture or a song, is kept as numbers made of zeros and ones. What you see on the screen is again a long list of numbers, one for each point of light. So a computer is quick and exact, but it only does what its program says."),
    (["why we dream", "dreams and sleep", "how sleep works"], "When we sleep, the body rests, but the brain stays busy. It goes through several stages again and again during the night: light sleep, deep sleep, and a stage in which the eyes move quickly. In that last stage most dreams happen. Many people think that the brain then sorts what happened during the day, keeps what matters and lets the rest go. Deep sleep helps the body to repair itself. So a good night makes you both stronger and wiser. If you want to sleep well, keep regular hours, avoid bright screens late in the evening, and let in some fresh air."),
    (["the solar system", "our solar system", "planets and the sun"], "Our solar system has one star in the middle, the sun, which holds nearly all of its mass. Eight planets circle it. The four inner ones, Mercury, Venus, Earth and Mars, are made of rock. The outer ones, Jupiter, Saturn, Uranus and Neptune, are giants of gas and ice. Between Mars and Jupiter there is a belt of many small rocks. Most planets have moons; the earth has one, and the giants have dozens. All of them move because gravity bends their path around the sun, while their own speed keeps them from falling into it."),
    (["how to write a haiku", "writing haikus", "how haikus work"], "A haiku has three lines. The first line has five syllables, the second has seven, and the third has five again. Choose one small moment, best from nature: a drop on a leaf, a bird at dawn, the last light of the day. Say what you see and hear, not what you think about it. Often two pictures stand beside each other, and the reader feels how they belong together. Read your lines aloud and count the syllables on your fingers. Take away every word that is not needed, and you have a haiku."),
    (["how to learn programming", "learning to program", "how to start programming", "how to become a programmer"], "Choose one language and stay with it for a while; which one matters less than people say. Begin with tiny programs: print a line, add two numbers, guess a number. Type the examples yourself, change them, break them and mend them again. Then build something small that you would like to use, and look things up as you need them. Read error messages slowly, for they usually tell you what is wrong. Read the code of others, write tests, and ask for advice. A little each day is better than a lot once a month, and everybody who is good at it was a beginner once."),
    (["how a bicycle stays upright", "how bicycles work", "riding a bicycle"], "A bicycle falls over when it stands, but not when it rolls. The reason is steering: when the bicycle leans to one side, the front wheel turns a little to the same side, and so the wheels move back under the weight. A rider does this all the time without thinking about it, and the shape of the fork helps. The pedals turn a chain, the chain turns the back wheel, and the gears let you choose between force and speed. That is why riding is hard for the first hour and easy for the rest of your life."),
    (["the seasons", "why there are seasons", "summer and winter"], "The earth circles the sun once a year, and its axis is tilted a little. In June the northern half leans towards the sun: the days are long, the light falls steeply, and it is summer there. In December the same half leans away: the days are short, the light comes in low, and it is winter. In the south it is just the other way round. In spring and autumn both halves get about the same share. So it is not the distance to the sun that makes the seasons, but the tilt of the earth."),
    (["the Fastgen demo model", "yourself in detail", "your own architecture", "how you are built"], "I am a small transformer of the Llama family. My text is cut into tokens by a byte-level BPE tokenizer with 4096 entries. Each token becomes a vector of 256 numbers and passes through eight layers. Every layer has attention with four query heads and two key heads, and a feed-forward part of 704 units. Together that makes about seven million weights, stored in bf16, which is 14 megabytes. I learned from dialogues that a script wrote: greetings, sums, haikus, stories and questions about this project. So I can show that the engine works, but I know very little about the world."),
]
ASK_EXPLAIN = ["{Explain|Describe} T {in detail|at length|in depth|to me in detail|step by step|thoroughly}{.|}", "{Tell me|Write} {everything|a lot|more|a long text} about T{.|}", "{Give me|I want|Write} a {long|detailed|full} {explanation|description|text} {of|about} T{.|}",
               "{Can you|Could you|Please} explain T {in detail|at length|with more words|to a beginner}{?|}", "write {an essay|a paragraph|an article} about T", "T in detail", "long explanation of T please", "Explain T like I am five"]
ASK_EXPLAIN_PLAIN = ["{Explain|Explain to me|Tell me|Describe|Do you know|Can you explain|Please explain|I want to know|explain to me} T{.|?|}"]


def explanation_turn(r):
    names, text = r.choice(EXPLANATIONS)
    name = r.choice(names)
    short_exists = name in ("paged attention", "PagedAttention", "continuous batching", "in-flight batching", "chunked prefill", "prefill chunks", "tensor parallelism", "Fastgen.Aspire", "large language models", "the paged KV cache")
    asks = ASK_EXPLAIN if short_exists or r.random() < 0.6 else ASK_EXPLAIN_PLAIN
    question = " ".join(name + w[1:] if w.rstrip("?.!,") == "T" else w for w in pick(r, asks).split(" "))
    if name.startswith(("how ", "what ", "where ", "why ")):
        if r.random() < 0.45 and name.startswith("how ") and not name.startswith(("how to", "how you")):
            question = upper_first(r.choice(["tell me ", "do you know ", "I want to know ", "please explain "]) + name)
    return question, text, name
