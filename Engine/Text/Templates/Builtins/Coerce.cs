using System.Numerics;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>Arguments of builtins as .NET values, refused as Python refuses them.</summary>
internal static class Coerce
{
    /// <summary>jinja's soft_str: a str stays (markup too), all else becomes one.</summary>
    public static StrValue Text(Value? value) => value as StrValue ?? new StrValue(value!.Str());

    /// <summary>An argument that must be a str.</summary>
    public static string Str(Value? value, string what) => value is StrValue text
        ? text.Text
        : value is UndefinedValue undefined ? throw undefined.Failure() : throw TemplateError.Type($"{what} must be str, not {value!.TypeName}");

    public static int Int(Value? value, int fallback)
    {
        if (value is null)
        {
            return fallback;
        }

        BigInteger integer = Integer(value);
        return integer > int.MaxValue ? int.MaxValue : integer < int.MinValue ? int.MinValue : (int)integer;
    }

    public static BigInteger Integer(Value value) => value switch
    {
        NumberValue { IsInteger: true } number => number.Integer,
        UndefinedValue undefined => throw undefined.Failure(),
        _ => throw TemplateError.Type($"'{value.TypeName}' object cannot be interpreted as an integer"),
    };

    public static bool IsNone(Value? value) => value is null or NoneValue;

    public static bool Truth(Value? value) => value?.IsTrue ?? false;

    /// <summary>A flag that Python's own functions take: an integer or a bool, nothing else.</summary>
    public static bool Flag(Value? value) => value is not null && !Integer(value).IsZero;

    /// <summary>float(value).</summary>
    public static double Float(Value value) => value switch
    {
        NumberValue number => number.Double,
        StrValue text => FloatFormat.TryParse(text.Text, out double parsed) ? parsed : throw TemplateError.Value($"could not convert string to float: {StringRepr.Of(text.Text)}"),
        UndefinedValue undefined => throw undefined.Failure(),
        _ => throw TemplateError.Type($"float() argument must be a string or a real number, not '{value.TypeName}'"),
    };

    /// <summary>list(value), counted against the rendering's limits.</summary>
    public static List<Value> List(Value value)
    {
        RenderBudget budget = RenderBudget.Current;
        var items = new List<Value>(value.Length ?? 0);
        foreach (Value item in value.Iterate())
        {
            budget.Step();
            items.Add(item);
        }

        return items;
    }

    public static IteratorValue Generator(IEnumerable<Value> items) => new("generator", items);
}
