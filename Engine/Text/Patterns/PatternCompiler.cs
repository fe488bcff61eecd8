namespace Fastgen.Engine.Text.Patterns;

/// <summary>Turns a parsed pattern into instructions.</summary>
internal sealed class PatternCompiler
{
    private const int MaxInstructions = 20_000;
    private const int MaxLookBehind = 255;
    private readonly List<PatternInstruction> _code = [];
    private readonly string _pattern;

    private PatternCompiler(string pattern) => _pattern = pattern;

    /// <summary>Number of instructions whose outcome at a position may be remembered.</summary>
    public int MemoCount { get; private set; }

    /// <summary>Whether a repetition's body can match nothing, so that only remembering ends it.</summary>
    public bool HasEmptyLoop { get; private set; }

    /// <summary>Whether outcomes depend on where the search began.</summary>
    public bool DependsOnStart { get; private set; }

    /// <summary>Compiles a pattern.</summary>
    public static PatternInstruction[] Compile(string pattern, PatternNode node, out PatternCompiler facts)
    {
        facts = new PatternCompiler(pattern);
        facts.Emit(node);
        facts.Add(new PatternInstruction(PatternOperation.Match));
        return [.. facts._code];
    }

    /// <summary>The set of code points with which a match begins; null when a match may be empty.</summary>
    public static CodePointSet? FirstSet(PatternNode node)
    {
        var sets = new List<CodePointSet>();
        return CollectFirst(node, sets) ? null : CodePointSet.Union(sets);
    }

    // Adds what the node may begin with; true when it may match nothing.
    private static bool CollectFirst(PatternNode node, List<CodePointSet> sets)
    {
        switch (node)
        {
            case PatternNode.Set set:
                sets.Add(set.CodePoints);
                return false;
            case PatternNode.Sequence sequence:
                return sequence.Items.All(item => CollectFirst(item, sets));
            case PatternNode.Alternatives alternatives:
                return alternatives.Items.Aggregate(false, (empty, item) => CollectFirst(item, sets) || empty);
            case PatternNode.Repeat repeat:
                return repeat.Max == 0 || CollectFirst(repeat.Body, sets) || repeat.Min == 0;
            case PatternNode.Atomic atomic:
                return CollectFirst(atomic.Body, sets);
            default:
                return true;
        }
    }

    private static bool CanBeEmpty(PatternNode node) => CollectFirst(node, []);

    private void Emit(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.Empty:
                break;
            case PatternNode.Set set:
                Add(new PatternInstruction(PatternOperation.Set, set.CodePoints));
                break;
            case PatternNode.Assertion assertion:
                DependsOnStart |= assertion.Kind == Anchor.SearchStart;
                Add(new PatternInstruction(PatternOperation.Assertion, Anchor: assertion.Kind));
                break;
            case PatternNode.Sequence sequence:
                foreach (var item in sequence.Items)
                {
                    Emit(item);
                }

                break;
            case PatternNode.Alternatives alternatives:
                EmitAlternatives(alternatives);
                break;
            case PatternNode.Repeat repeat:
                EmitRepeat(repeat);
                break;
            case PatternNode.Atomic atomic:
                EmitPart(new PatternInstruction(PatternOperation.Atomic), atomic.Body);
                break;
            case PatternNode.Look { Ahead: true } look:
                EmitPart(new PatternInstruction(PatternOperation.LookAhead, Negative: look.Negative), look.Body);
                break;
            case PatternNode.Look look:
                var (min, max) = Width(look.Body);
                if (max > MaxLookBehind)
                {
                    throw new TokenizerFormatException($"The regular expression \"{_pattern}\" looks back by more than {MaxLookBehind} characters, which is not supported; bound the lookbehind.");
                }

                EmitPart(new PatternInstruction(PatternOperation.LookBehind, Negative: look.Negative, Min: min, Max: max), look.Body);
                break;
        }
    }

    private void EmitAlternatives(PatternNode.Alternatives alternatives)
    {
        var jumps = new List<int>();
        for (var i = 0; i < alternatives.Items.Count; i++)
        {
            if (i == alternatives.Items.Count - 1)
            {
                Emit(alternatives.Items[i]);
                break;
            }

            var split = AddMemo(new PatternInstruction(PatternOperation.Split));
            Emit(alternatives.Items[i]);
            jumps.Add(Add(new PatternInstruction(PatternOperation.Jump)));
            _code[split] = _code[split] with { Target = split + 1, Other = _code.Count };
        }

        foreach (var jump in jumps)
        {
            _code[jump] = _code[jump] with { Target = _code.Count };
        }
    }

    private void EmitRepeat(PatternNode.Repeat repeat)
    {
        if (repeat.Body is PatternNode.Set set && repeat.Mode != RepeatMode.Lazy)
        {
            AddMemo(new PatternInstruction(
                PatternOperation.SetRun, set.CodePoints, Min: repeat.Min, Max: repeat.Max, Possessive: repeat.Mode == RepeatMode.Possessive));
            return;
        }

        if (repeat.Mode == RepeatMode.Possessive)
        {
            EmitPart(new PatternInstruction(PatternOperation.Atomic), repeat with { Mode = RepeatMode.Greedy });
            return;
        }

        for (var i = 0; i < repeat.Min; i++)
        {
            Emit(repeat.Body);
        }

        if (repeat.Max == int.MaxValue)
        {
            HasEmptyLoop |= CanBeEmpty(repeat.Body);
            var split = AddMemo(new PatternInstruction(PatternOperation.Split));
            Emit(repeat.Body);
            Add(new PatternInstruction(PatternOperation.Jump, Target: split));
            Branch(split, repeat.Mode);
            return;
        }

        var splits = new List<int>();
        for (var i = repeat.Min; i < repeat.Max; i++)
        {
            splits.Add(AddMemo(new PatternInstruction(PatternOperation.Split)));
            Emit(repeat.Body);
        }

        splits.ForEach(split => Branch(split, repeat.Mode));
    }

    private void Branch(int split, RepeatMode mode) => _code[split] = mode == RepeatMode.Lazy
        ? _code[split] with { Target = _code.Count, Other = split + 1 }
        : _code[split] with { Target = split + 1, Other = _code.Count };

    private void EmitPart(PatternInstruction head, PatternNode body)
    {
        var at = Add(head);
        Emit(body);
        Add(new PatternInstruction(PatternOperation.Match));
        _code[at] = _code[at] with { Target = _code.Count };
    }

    private int AddMemo(PatternInstruction instruction) => Add(instruction with { MemoIndex = MemoCount++ });

    private int Add(PatternInstruction instruction)
    {
        if (_code.Count >= MaxInstructions)
        {
            throw new TokenizerFormatException($"A regular expression of {_pattern.Length} characters needs more than {MaxInstructions} steps; shorten its repetitions.");
        }

        _code.Add(instruction);
        return _code.Count - 1;
    }

    // Least and most code points that a node matches.
    private static (int Min, int Max) Width(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.Set:
                return (1, 1);
            case PatternNode.Sequence sequence:
                return sequence.Items.Select(Width).Aggregate((Min: 0, Max: 0), (sum, width) => (Clamp((long)sum.Min + width.Min), Clamp((long)sum.Max + width.Max)));
            case PatternNode.Alternatives alternatives:
                var widths = alternatives.Items.Select(Width).ToArray();
                return (widths.Min(width => width.Min), widths.Max(width => width.Max));
            case PatternNode.Repeat repeat:
                var body = Width(repeat.Body);
                return (Clamp((long)body.Min * repeat.Min), body.Max == 0 ? 0 : Clamp((long)body.Max * repeat.Max));
            case PatternNode.Atomic atomic:
                return Width(atomic.Body);
            default:
                return (0, 0);
        }
    }

    private static int Clamp(long width) => (int)Math.Min(width, int.MaxValue);
}
