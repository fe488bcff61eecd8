using System.Collections.Frozen;
using System.Numerics;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>Functions that every template sees: Jinja's, and HuggingFace's raise_exception and strftime_now.</summary>
internal static class Globals
{
    public static readonly FrozenDictionary<string, Value> All = new Dictionary<string, Value>
    {
        ["range"] = new BuiltinFunction("safe_range", (_, arguments) => Range(arguments), "function"),
        ["dict"] = new BuiltinFunction("dict", (_, arguments) => DictMethods.Create(arguments), "type"),
        ["namespace"] = new BuiltinFunction("jinja2.utils.Namespace", (_, arguments) => new NamespaceValue(DictMethods.Create(arguments)), "type"),
        ["cycler"] = new BuiltinFunction("jinja2.utils.Cycler", (_, arguments) => Cycler(arguments), "type"),
        ["joiner"] = new BuiltinFunction("jinja2.utils.Joiner", (_, arguments) => new JoinerValue(arguments.Bind("Joiner", "sep?")[0] ?? new StrValue(", ")), "type"),
        ["lipsum"] = new BuiltinFunction("generate_lorem_ipsum", (_, arguments) => Lipsum.Generate(arguments), "function"),
        ["raise_exception"] = new BuiltinFunction("raise_exception", (_, arguments) => throw new TemplateError(ErrorKind.Raised, arguments.Bind("raise_exception", "message")[0]!.Str()), "function"),
        ["strftime_now"] = new BuiltinFunction(
            "strftime_now",
            (state, arguments) => new StrValue(Strftime.Format(state.Now, Coerce.Str(arguments.Bind("strftime_now", "format")[0], "format"))),
            "function"),
    }.ToFrozenDictionary();

    private static RangeValue Range(CallArguments arguments)
    {
        if (arguments.Named.Count > 0)
        {
            throw TemplateError.Type("safe_range() got an unexpected keyword argument '" + arguments.Named[0].Key + "'");
        }

        BigInteger[] parts = [.. arguments.Positional.Select(Coerce.Integer)];
        return parts.Length switch
        {
            1 => RangeValue.Create(0, parts[0], 1),
            2 => RangeValue.Create(parts[0], parts[1], 1),
            3 => RangeValue.Create(parts[0], parts[1], parts[2]),
            _ => throw TemplateError.Type($"range expected 1 to 3 arguments, got {parts.Length}"),
        };
    }

    private static CyclerValue Cycler(CallArguments arguments) => arguments.Named.Count > 0 || arguments.Positional.Length == 0
        ? throw new TemplateError(ErrorKind.Raised, "at least one item has to be provided")
        : new CyclerValue(arguments.Positional);
}
