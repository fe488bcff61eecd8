using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>Methods of dict that do not change it, and dict() itself.</summary>
internal static class DictMethods
{
    private static readonly Signature Get = new("get", "key default? /");

    public static bool TryGet(DictValue dict, string name, [NotNullWhen(true)] out Value? value)
    {
        value = name switch
        {
            "get" => new BuiltinFunction(name, (_, arguments) => Find(dict, Get.Bind(arguments))),
            "keys" => new BuiltinFunction(name, (_, arguments) => View(dict, name, arguments, entry => entry.Key)),
            "values" => new BuiltinFunction(name, (_, arguments) => View(dict, name, arguments, entry => entry.Value)),
            "items" => new BuiltinFunction(name, (_, arguments) => View(dict, name, arguments, entry => new TupleValue([entry.Key, entry.Value]))),
            "copy" => new BuiltinFunction(name, (_, arguments) => Copy(dict, arguments)),
            "fromkeys" => new BuiltinFunction(name, (_, arguments) => FromKeys(arguments)),
            _ => null,
        };
        return value is not null;
    }

    /// <summary>dict(mapping or pairs, **named).</summary>
    public static DictValue Create(CallArguments arguments)
    {
        if (arguments.Positional.Length > 1)
        {
            throw TemplateError.Type($"dict expected at most 1 argument, got {arguments.Positional.Length}");
        }

        var dict = new DictValue();
        switch (arguments.Positional.FirstOrDefault())
        {
            case null:
                break;
            case DictValue source:
                AddAll(dict, source);
                break;
            case var source:
                AddPairs(dict, source);
                break;
        }

        foreach (KeyValuePair<string, Value> argument in arguments.Named)
        {
            dict.Set(new StrValue(argument.Key), argument.Value);
        }

        return dict;
    }

    public static DictValue FromKeys(CallArguments arguments)
    {
        Value?[] bound = arguments.Bind("fromkeys", "iterable value? /");
        var dict = new DictValue();
        foreach (Value key in bound[0]!.Iterate())
        {
            RenderBudget.Current.Step();
            dict.Set(key, bound[1] ?? NoneValue.Instance);
        }

        return dict;
    }

    private static Value Find(DictValue dict, Value?[] bound) =>
        dict.TryGet(bound[0]!, out Value? value) ? value : bound[1] ?? NoneValue.Instance;

    private static DictView View(DictValue dict, string kind, CallArguments arguments, Func<KeyValuePair<Value, Value>, Value> pick) =>
        arguments.Count > 0 ? throw TemplateError.Type($"dict.{kind}() takes no arguments ({arguments.Count} given)") : new DictView(kind, dict, pick);

    private static DictValue Copy(DictValue dict, CallArguments arguments)
    {
        if (arguments.Count > 0)
        {
            throw TemplateError.Type("dict.copy() takes no arguments");
        }

        var copy = new DictValue(dict.Length ?? 0);
        AddAll(copy, dict);
        return copy;
    }

    private static void AddAll(DictValue target, DictValue source)
    {
        foreach (KeyValuePair<Value, Value> entry in source.Entries)
        {
            RenderBudget.Current.Step();
            target.Set(entry.Key, entry.Value);
        }
    }

    private static void AddPairs(DictValue dict, Value source)
    {
        int index = 0;
        foreach (Value item in source.Iterate())
        {
            RenderBudget.Current.Step();
            if (!item.IsIterable)
            {
                throw TemplateError.Type($"cannot convert dictionary update sequence element #{index} to a sequence");
            }

            List<Value> pair = Coerce.List(item);
            if (pair.Count != 2)
            {
                throw TemplateError.Value($"dictionary update sequence element #{index} has length {pair.Count}; 2 is required");
            }

            dict.Set(pair[0], pair[1]);
            index++;
        }
    }
}
