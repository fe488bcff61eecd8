using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>Methods of list and tuple that do not change them.</summary>
internal static class SequenceMethods
{
    public static bool TryGet(SequenceValue sequence, string name, [NotNullWhen(true)] out Value? value)
    {
        value = name switch
        {
            "count" or "index" => new BuiltinFunction(name, (_, arguments) => Search(name, sequence.Items, arguments, sequence.TypeName)),
            "copy" when sequence is ListValue => new BuiltinFunction(name, (_, arguments) => arguments.Count == 0 ? sequence : throw TemplateError.Type("list.copy() takes no arguments")),
            _ => null,
        };
        return value is not null;
    }

    public static Value Search(string method, IReadOnlyList<Value> items, CallArguments arguments, string typeName)
    {
        Value?[] bound = arguments.Bind(method, method == "count" ? "value /" : "value start? stop? /");
        RenderBudget.Current.Step(items.Count);
        if (method == "count")
        {
            return IntValue.Of(items.Count(item => ReferenceEquals(item, bound[0]) || item.PythonEquals(bound[0]!)));
        }

        int start = Bound(bound[1], items.Count, 0);
        int stop = Bound(bound[2], items.Count, items.Count);
        for (int i = start; i < stop; i++)
        {
            if (ReferenceEquals(items[i], bound[0]) || items[i].PythonEquals(bound[0]!))
            {
                return IntValue.Of(i);
            }
        }

        throw TemplateError.Value($"{bound[0]!.Repr()} is not in {typeName}");
    }

    private static int Bound(Value? value, int length, int fallback)
    {
        int position = Coerce.Int(value, fallback);
        return Math.Clamp(position < 0 ? position + length : position, 0, length);
    }
}
