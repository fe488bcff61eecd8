using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>map, select and reject: filters that apply others, lazily, item by item.</summary>
internal static class SelectionFilters
{
    public static readonly Dictionary<string, Filter> All = new()
    {
        ["map"] = new((state, value, arguments) => Coerce.Generator(Map(state, value, arguments))),
        ["select"] = new((state, value, arguments) => Coerce.Generator(Select(state, value, arguments, byAttribute: false, keep: true))),
        ["reject"] = new((state, value, arguments) => Coerce.Generator(Select(state, value, arguments, byAttribute: false, keep: false))),
        ["selectattr"] = new((state, value, arguments) => Coerce.Generator(Select(state, value, arguments, byAttribute: true, keep: true))),
        ["rejectattr"] = new((state, value, arguments) => Coerce.Generator(Select(state, value, arguments, byAttribute: true, keep: false))),
    };

    private static IEnumerable<Value> Map(RenderState state, Value value, CallArguments arguments)
    {
        if (!value.IsTrue)
        {
            yield break;
        }

        Func<Value, Value> apply = Mapping(state, arguments);
        foreach (Value item in value.Iterate())
        {
            state.Budget.Step();
            yield return apply(item);
        }
    }

    private static Func<Value, Value> Mapping(RenderState state, CallArguments arguments)
    {
        if (arguments.Positional.Length == 0 && arguments.FindNamed("attribute") is { } attribute)
        {
            foreach (KeyValuePair<string, Value> argument in arguments.Named)
            {
                if (argument.Key is not ("attribute" or "default"))
                {
                    throw new TemplateError(ErrorKind.Raised, $"Unexpected keyword argument '{argument.Key}'");
                }
            }

            return Filters.Path(attribute, arguments.FindNamed("default"));
        }

        if (arguments.Positional.Length == 0)
        {
            throw new TemplateError(ErrorKind.Raised, "map requires a filter argument");
        }

        Filter filter = Filters.Get(Name(arguments.Positional[0]));
        CallArguments rest = arguments.Skip(1);
        return item => filter.Apply(state, item, rest);
    }

    private static IEnumerable<Value> Select(RenderState state, Value value, CallArguments arguments, bool byAttribute, bool keep)
    {
        if (!value.IsTrue)
        {
            yield break;
        }

        if (byAttribute && arguments.Positional.Length == 0)
        {
            throw new TemplateError(ErrorKind.Raised, "Missing parameter for attribute name");
        }

        Func<Value, Value> path = byAttribute ? Filters.Path(arguments.Positional[0]) : item => item;
        CallArguments rest = byAttribute ? arguments.Skip(1) : arguments;
        Func<Value, bool> test = item => item.IsTrue;
        if (rest.Positional.Length > 0)
        {
            Filter named = Tests.Get(Name(rest.Positional[0]));
            CallArguments given = rest.Skip(1);
            test = item => named.Apply(state, item, given).IsTrue;
        }

        foreach (Value item in value.Iterate())
        {
            state.Budget.Step();
            if (test(path(item)) == keep)
            {
                yield return item;
            }
        }
    }

    private static string Name(Value value) => value is StrValue text ? text.Text : throw TemplateError.Type($"a filter or test is named by a string, not by {value.TypeName}");
}
