using System.Collections.Frozen;
using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>All tests of Jinja 3.1: what stands after "is".</summary>
internal static class Tests
{
    private static readonly FrozenDictionary<string, Filter> All = Create().ToFrozenDictionary();

    public static bool Exists(string name) => All.ContainsKey(name);

    public static Filter Get(string name) =>
        All.TryGetValue(name, out Filter? test) ? test : throw new TemplateError(ErrorKind.Raised, $"No test named '{name}' found.");

    private static Dictionary<string, Filter> Create()
    {
        var tests = new Dictionary<string, Filter>();
        Add(tests, "odd", value => Operators.Binary("%", value, IntValue.Of(2)).PythonEquals(IntValue.Of(1)));
        Add(tests, "even", value => Operators.Binary("%", value, IntValue.Of(2)).PythonEquals(IntValue.Of(0)));
        Add(tests, "defined", value => value is not UndefinedValue);
        Add(tests, "undefined", value => value is UndefinedValue);
        Add(tests, "filter", value => Filters.Exists(Name(value)));
        Add(tests, "test", value => Exists(Name(value)));
        Add(tests, "none", value => value is NoneValue);
        Add(tests, "boolean", value => value is BoolValue);
        Add(tests, "false", value => ReferenceEquals(value, BoolValue.False));
        Add(tests, "true", value => ReferenceEquals(value, BoolValue.True));
        Add(tests, "integer", value => value is IntValue);
        Add(tests, "float", value => value is FloatValue);
        Add(tests, "lower", value => CharacterTests.IsLower(value.Str()));
        Add(tests, "upper", value => CharacterTests.IsUpper(value.Str()));
        Add(tests, "string", value => value is StrValue);
        Add(tests, "mapping", value => value is DictValue);
        Add(tests, "number", value => value is NumberValue);
        Add(tests, "sequence", value => value is StrValue or SequenceValue or DictValue or RangeValue or BytesValue or UndefinedValue);
        Add(tests, "iterable", value => value.IsIterable);
        Add(tests, "callable", value => value.IsCallable);
        Add(tests, "escaped", value => value is StrValue { IsMarkup: true });
        tests["divisibleby"] = new("divisibleby", "value num", (_, a) => BoolValue.Of(Operators.Binary("%", a[0]!, a[1]!).PythonEquals(IntValue.Of(0))));
        tests["sameas"] = new("sameas", "value other", (_, a) => BoolValue.Of(IsSame(a[0]!, a[1]!)));
        tests["in"] = new("in", "value seq", (_, a) => BoolValue.Of(a[1]!.Contains(a[0]!)));
        AddComparison(tests, "==", "==", "eq", "equalto");
        AddComparison(tests, "!=", "!=", "ne");
        AddComparison(tests, ">", ">", "gt", "greaterthan");
        AddComparison(tests, ">=", ">=", "ge");
        AddComparison(tests, "<", "<", "lt", "lessthan");
        AddComparison(tests, "<=", "<=", "le");
        return tests;
    }

    private static void Add(Dictionary<string, Filter> tests, string name, Func<Value, bool> test) =>
        tests[name] = new(name, "value", (_, a) => BoolValue.Of(test(a[0]!)));

    private static void AddComparison(Dictionary<string, Filter> tests, string symbol, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            tests[name] = new(name, "a b /", (_, a) => BoolValue.Of(Operators.Compare(symbol, a[0]!, a[1]!)));
        }
    }

    private static string Name(Value value)
    {
        if (!value.IsHashable)
        {
            throw TemplateError.Type($"unhashable type: '{value.TypeName}'");
        }

        return value is StrValue text ? text.Text : "";
    }

    // Python shares its small integers and one-character strings.
    private static bool IsSame(Value a, Value b) => ReferenceEquals(a, b) || (a, b) switch
    {
        (IntValue x, IntValue y) => x.Integer == y.Integer && x.Integer >= -5 && x.Integer <= 256,
        (StrValue x, StrValue y) => x.IsMarkup == y.IsMarkup && x.Text == y.Text && x.CodePoints <= 1,
        (TupleValue x, TupleValue y) => x.Items.Count == 0 && y.Items.Count == 0,
        _ => false,
    };
}
