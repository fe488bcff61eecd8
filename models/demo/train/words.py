"""Word lists that the grammars draw from, and made-up words for copying tasks."""

from phrasing import upper_first

NAMES = """Anna Ben Clara David Emma Felix Grace Henry Ida Jack Kate Leo Maria Nina Oscar Paul Quinn Rosa Sam Tina Uma
Victor Wendy Xenia Yara Zoe Alice Bob Carol Daniel Eva Frank Gina Hugo Iris Jonas Kevin Lena Mark Nora Olga Peter Ruth
Simon Tom Ursula Vera Will Yusuf Zara Ahmed Aisha Akira Ali Amir Ana Andre Boris Carlos Chen Chloe Diego Elena Elif Eric
Fatima Finn George Hana Hannah Hassan Ines Ivan James Jin Jose Julia Karim Kim Lars Laura Lee Li Linda Lisa Liu Lucas Lucy
Luis Luna Marco Mary Mateo Max Mei Mia Michael Mike Mila Mohamed Nadia Natalie Nick Nico Noah Olivia Omar Pablo Petra
Philip Pierre Priya Rachel Raj Ravi Rita Robert Robin Ryan Sara Sarah Sasha Sofia Stefan Steve Susan Tanja Thomas Tim Toni
Tony Vincent Wei Yuki Zeynep Adam Alex Amy Andrew Anton Arthur Bella Bruno Charlie Chris Dana Diana Dylan Edgar Ella Elsa
Emil Esther Ethan Fiona Gabriel Greta Heidi Helen Isaac Jacob Jane Jasmine Joel John Jordan Joseph Judy Karl Kira Klara
Liam Lily Lola Louis Maggie Martin Matt Maya Megan Mira Molly Nathan Oliver Otto Owen Patrick Penny Ray Rose Rudi Sally
Sandra Selma Sonia Stella Sven Theo Tobias Vanessa Walter""".split()

COLOURS = "red blue green yellow orange purple pink brown black white grey turquoise violet gold silver".split()

ANIMALS = """cat dog horse cow sheep pig goat chicken duck goose rabbit mouse hamster lion tiger bear wolf fox elephant
giraffe zebra monkey gorilla kangaroo koala panda penguin owl eagle parrot crow sparrow swan frog toad snake lizard turtle
crocodile shark whale dolphin octopus crab salmon bee butterfly ant spider snail hedgehog squirrel deer camel donkey otter
seal bat beaver""".split()

FOODS = ["pizza", "pasta", "rice", "bread", "soup", "salad", "sushi", "curry", "tacos", "noodles", "pancakes", "cheese",
         "chocolate", "ice cream", "apple pie", "dumplings", "potatoes", "lasagne", "burgers", "fried rice", "chips",
         "beans", "lentils", "cake", "cookies", "waffles", "omelette", "ramen", "risotto", "falafel", "hummus", "stew"]
FRUITS = """apple banana orange pear grape strawberry cherry peach plum mango pineapple melon lemon lime kiwi fig raspberry
blueberry apricot papaya""".split()
VEGETABLES = """carrot potato tomato onion cucumber pepper spinach broccoli cabbage lettuce pumpkin celery garlic leek pea
radish beetroot cauliflower bean corn""".split()
DRINKS = ["tea", "coffee", "water", "milk", "lemonade", "orange juice", "apple juice", "hot chocolate", "green tea",
          "cola", "ginger ale", "mint tea"]
SPORTS = ["football", "tennis", "basketball", "swimming", "running", "cycling", "volleyball", "hockey", "golf", "rugby",
          "skiing", "climbing", "rowing", "boxing", "judo", "badminton", "chess", "cricket", "baseball", "surfing"]
HOBBIES = ["reading", "painting", "gardening", "cooking", "hiking", "fishing", "dancing", "singing", "knitting",
           "photography", "chess", "drawing", "baking", "writing", "swimming", "cycling", "running", "birdwatching",
           "pottery", "programming", "sewing", "gaming", "woodworking", "stargazing", "yoga"]
INSTRUMENTS = ["piano", "guitar", "violin", "flute", "drums", "trumpet", "cello", "harp", "saxophone", "clarinet",
               "accordion", "banjo", "ukulele", "organ"]
CITIES = """Paris London Berlin Rome Madrid Lisbon Vienna Prague Warsaw Athens Oslo Stockholm Helsinki Copenhagen Dublin
Amsterdam Brussels Zurich Munich Hamburg Milan Naples Barcelona Porto Budapest Istanbul Cairo Lagos Nairobi Tokyo Osaka
Seoul Beijing Shanghai Delhi Mumbai Sydney Melbourne Toronto Montreal Chicago Boston Seattle Austin Denver Lima Bogota
Santiago Geneva Lyon""".split()
JOBS = ["teacher", "nurse", "doctor", "baker", "farmer", "carpenter", "pilot", "engineer", "student", "painter", "cook",
        "driver", "lawyer", "librarian", "musician", "gardener", "programmer", "plumber", "dentist", "writer", "waiter",
        "scientist", "postman", "photographer", "actor", "tailor", "electrician", "vet", "florist", "sailor"]
LANGUAGES = ["English", "French", "German", "Spanish", "Italian", "Japanese", "Chinese", "Arabic", "Portuguese", "Dutch",
             "Polish", "Turkish", "Greek", "Swedish", "Korean", "Hindi"]
SUBJECTS = ["maths", "history", "biology", "physics", "chemistry", "geography", "music", "art", "English", "French",
            "programming", "sports"]
SEASONS = ["spring", "summer", "autumn", "winter"]
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SHAPES = "circle square triangle rectangle hexagon pentagon oval star".split()
FLOWERS = "rose tulip daisy lily sunflower orchid violet poppy daffodil lavender".split()
TREES = "oak pine birch maple willow beech cedar elm ash palm".split()
TOOLS = "hammer saw drill screwdriver wrench pliers chisel file ruler axe".split()
CLOTHES = "shirt coat hat scarf jacket sock glove dress skirt sweater".split()
FURNITURE = "table chair bed sofa desk shelf wardrobe lamp stool cupboard".split()
VEHICLES = "car bus train bicycle tram boat ship plane truck scooter".split()
BODY = "head arm leg hand foot ear eye nose mouth knee".split()

CATEGORIES = {
    "animals": ANIMALS, "colours": COLOURS, "colors": COLOURS, "fruits": FRUITS, "vegetables": VEGETABLES,
    "foods": FOODS, "drinks": DRINKS, "sports": SPORTS, "hobbies": HOBBIES, "instruments": INSTRUMENTS,
    "cities": CITIES, "jobs": JOBS, "languages": LANGUAGES, "shapes": SHAPES, "flowers": FLOWERS, "trees": TREES,
    "tools": TOOLS, "clothes": CLOTHES, "names": NAMES, "vehicles": VEHICLES, "body parts": BODY,
    "pieces of furniture": FURNITURE, "musical instruments": INSTRUMENTS, "school subjects": SUBJECTS,
}

# Things that strangers ask about and that the model knows nothing of.
UNKNOWN_NOUNS = """politics|the stock market|bitcoin|quantum physics|the theory of relativity|the roman empire|the second
world war|the french revolution|napoleon|shakespeare|mozart|beethoven|the beatles|star wars|harry potter|the latest
iphone|football results|the world cup|the olympic games|the president|the prime minister|climate change|black holes|dark
matter|string theory|dna|vaccines|antibiotics|cancer|diabetes|taxes|mortgages|insurance|inflation|the housing market|law|
contracts|philosophy|plato|kant|buddhism|religion|the bible|greek mythology|vikings|the middle ages|dinosaurs|evolution|
genetics|organic chemistry|the periodic table|thermodynamics|calculus|linear algebra|statistics|prime factorisation|
fractals|topology|graph theory|databases|javascript|rust|haskell|kubernetes operators|react|docker compose|sql joins|
regular expressions|compilers|operating systems|linux|windows|macos|android|blockchain|nuclear fusion|electric cars|
solar panels|rockets|mars colonies|the moon landing|satellites|tectonic plates|hurricanes|the amazon|the sahara|antarctica|
opera|jazz|hip hop|impressionism|picasso|van gogh|architecture|fashion|makeup|wine|whisky|sourdough|barbecue|vegan diets|
keto|marathon training|weightlifting|meditation|astrology|tarot|chess openings|poker|video games|minecraft|anime|manga|
netflix|hollywood|oscars|celebrities|social media|marketing|startups|venture capital|management|job interviews|my boss|
my neighbour|my landlord|my ex|dating|marriage|parenting|schools in finland|universities|exams|essays|grammar|latin|
esperanto|sign language|cartography|archaeology|egyptian pyramids|samurai|pirates in history|the silk road|trade routes|
economics|supply chains|logistics|air traffic|trains in japan|bridges|tunnels|dams|steel|plastics|recycling|whales songs|
coral reefs|deep sea life|mushrooms|bonsai|bee keeping|horse riding|sailing knots|camping gear|cameras|lenses|film editing|
animation|podcasts|journalism|newspapers|elections|parliaments|the united nations|treaties|diplomacy|espionage|
cryptography|hash functions|neural scaling laws|reinforcement learning from feedback|diffusion models|self driving cars|
drones|3d printing|carpentry joints|plumbing|wiring|concrete|paint chemistry|perfume|soap making|knots|origami|magic tricks|
circus|ballet|theatre|poets of the past|novels|libraries of the world|museums|castles|crowns|coins|stamps|flags|anthems|
borders|visas|passports|airlines|hotels|cruises|hiking trails|ski resorts|surf spots|fishing rods|golf clubs|tennis players|
boxers|cyclists|formula one|nascar|motorbikes|tractors|farm subsidies|wheat prices|oil prices|gold prices|interest rates|
pensions|lotteries|casinos|riddles of the sphinx|ghosts|aliens|bigfoot|atlantis|time travel|parallel universes|
consciousness|free will|ethics|the trolley problem|justice|poverty|migration|cities of the future|smart homes|batteries|
semiconductors|transistors|radio waves|lasers|microscopes|telescopes|x rays|surgery|dentistry|nutrition labels|allergies|
headaches|back pain|insomnia drugs|vitamins|protein powder|tattoos|haircuts|shoes brands|watches|jewellery|diamonds"""
UNKNOWN_NOUNS = [" ".join(n.split()) for n in UNKNOWN_NOUNS.split("|")]

_ONSETS = ["b", "br", "c", "ch", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p", "pl",
           "pr", "qu", "r", "s", "sh", "sk", "sl", "st", "t", "th", "tr", "v", "w", "y", "z", ""]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "oo", "ou", "y"]
_CODAS = ["", "", "", "n", "r", "l", "s", "t", "m", "k", "nd", "x", "ck", "p", "b", "d", "g", "sh", "ll"]


def made_up(r, syllables=None):
    """A word that (almost surely) nobody has seen: it can only be copied, not recalled."""
    count = syllables or r.choice([1, 2, 2, 2, 3])
    return "".join(r.choice(_ONSETS) + r.choice(_VOWELS) + r.choice(_CODAS) for _ in range(count))


def person(r):
    """A first name, known or made up."""
    return r.choice(NAMES) if r.random() < 0.6 else upper_first(made_up(r))


def any_word(r):
    """A word of any list, or a made-up one."""
    if r.random() < 0.35:
        return made_up(r)
    return r.choice(r.choice([ANIMALS, COLOURS, FRUITS, VEGETABLES, SPORTS, HOBBIES, TOOLS, CLOTHES, FURNITURE, VEHICLES,
                              FLOWERS, TREES, SHAPES, JOBS, BODY]))
