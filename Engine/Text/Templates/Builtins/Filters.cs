using System.Collections.Frozen;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>All filters of Jinja 3.1, with HuggingFace's tojson.</summary>
internal static class Filters
{
    private static readonly FrozenDictionary<string, Filter> All = new[]
    {
        TextFilters.All, HtmlFilters.All, NumberFilters.All, SequenceFilters.All, SelectionFilters.All, WrapFilters.All,
    }.SelectMany(group => group).ToFrozenDictionary();

    public static bool Exists(string name) => All.ContainsKey(name);

    public static Filter Get(string name) =>
        All.TryGetValue(name, out Filter? filter) ? filter : throw new TemplateError(ErrorKind.Raised, $"No filter named '{name}' found.");

    /// <summary>A dotted path of attributes and indices ("function.name", "items.0") applied to a value.</summary>
    public static Func<Value, Value> Path(Value? attribute, Value? fallback = null)
    {
        Value[] parts = Parts(attribute);
        return item =>
        {
            foreach (Value part in parts)
            {
                item = Nodes.Access.Item(item, part);
                if (item is UndefinedValue && fallback is not (null or NoneValue))
                {
                    item = fallback;
                }
            }

            return item;
        };
    }

    public static Value[] Parts(Value? attribute) => attribute switch
    {
        null or NoneValue => [],
        StrValue text => [.. text.Text.Split('.').Select(part => part.Length > 0 && part.All(char.IsDigit)
            ? IntValue.Of(System.Numerics.BigInteger.Parse(part, System.Globalization.CultureInfo.InvariantCulture))
            : (Value)new StrValue(part))],
        _ => [attribute],
    };
}
