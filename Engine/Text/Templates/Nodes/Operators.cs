using System.Numerics;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

/// <summary>Python's operators over all types.</summary>
internal static class Operators
{
    public static Value Binary(string symbol, Value a, Value b)
    {
        if (a is NumberValue x && b is NumberValue y)
        {
            return symbol switch
            {
                "+" => Arithmetic.Add(x, y),
                "-" => Arithmetic.Subtract(x, y),
                "*" => Arithmetic.Multiply(x, y),
                "/" => Arithmetic.Divide(x, y),
                "//" => Arithmetic.FloorDivide(x, y),
                "%" => Arithmetic.Modulo(x, y),
                _ => Arithmetic.Power(x, y),
            };
        }

        // str % anything formats: an undefined there prints as nothing instead of failing.
        if (symbol == "%" && a is StrValue format)
        {
            return PercentFormat.Format(format, b);
        }

        RefuseUndefined(a, b);
        return symbol switch
        {
            "+" => Concatenate(a, b),
            "*" => Repeat(a, b),
            _ => throw Unsupported(symbol, a, b),
        };
    }

    public static Value Unary(char sign, Value operand) => operand switch
    {
        NumberValue number => sign == '-' ? Arithmetic.Negate(number) : number is BoolValue ? IntValue.Of(number.Integer) : number,
        UndefinedValue undefined => throw undefined.Failure(),
        _ => throw TemplateError.Type($"bad operand type for unary {sign}: '{operand.TypeName}'"),
    };

    public static bool Compare(string symbol, Value a, Value b)
    {
        switch (symbol)
        {
            case "==": return a.PythonEquals(b);
            case "!=": return !a.PythonEquals(b);
            case "in": return b.Contains(a);
            case "not in": return !b.Contains(a);
        }

        if (a is NumberValue x && b is NumberValue y)
        {
            return Holds(symbol, Arithmetic.Compare(x, y));
        }

        RefuseUndefined(a, b);
        return Holds(symbol, Order(a, b) ?? throw NotOrdered(symbol, a, b));
    }

    /// <summary>Python's a &lt; b, for sorting.</summary>
    public static bool IsLess(Value a, Value b) => Compare("<", a, b);

    public static Value Add(Value a, Value b) => Binary("+", a, b);

    private static bool Holds(string symbol, int order) => order != 2 && symbol switch
    {
        "<" => order < 0,
        "<=" => order <= 0,
        ">" => order > 0,
        _ => order >= 0,
    };

    private static int? Order(Value a, Value b)
    {
        switch (a, b)
        {
            case (StrValue x, StrValue y):
                return Math.Sign(CompareText(x.Text, y.Text));
            case (BytesValue x, BytesValue y):
                return Math.Sign(x.Bytes.AsSpan().SequenceCompareTo(y.Bytes));
            case (SequenceValue x, SequenceValue y) when x is ListValue == y is ListValue:
                return OrderItems(x.Items, y.Items);
            case (DictView { IsSet: true } x, DictView { IsSet: true } y):
                return OrderSets(x, y);
            default:
                return null;
        }
    }

    // A set is less than another when it is a part of it; 2 when neither holds the other.
    private static int OrderSets(DictView a, DictView b)
    {
        bool inB = a.Iterate().All(b.Contains);
        bool inA = b.Iterate().All(a.Contains);
        return inA && inB ? 0 : inB ? -1 : inA ? 1 : 2;
    }

    private static int OrderItems(IReadOnlyList<Value> a, IReadOnlyList<Value> b)
    {
        RenderBudget budget = RenderBudget.Current;
        budget.Enter();
        int order = a.Count.CompareTo(b.Count);
        for (int i = 0; i < a.Count && i < b.Count; i++)
        {
            budget.Step();
            if (!ReferenceEquals(a[i], b[i]) && !a[i].PythonEquals(b[i]))
            {
                order = Compare("<", a[i], b[i]) ? -1 : 1;
                break;
            }
        }

        budget.Leave();
        return order;
    }

    // UTF-16 order differs from code point order only between surrogates and what follows them in the first plane.
    private static int CompareText(string a, string b)
    {
        int i = a.AsSpan().CommonPrefixLength(b);
        if (i >= a.Length || i >= b.Length)
        {
            return a.Length - b.Length;
        }

        bool aHigh = char.IsSurrogate(a[i]);
        bool bHigh = char.IsSurrogate(b[i]);
        return aHigh == bHigh ? a[i] - b[i] : aHigh ? 1 : -1;
    }

    private static Value Concatenate(Value a, Value b)
    {
        switch (a, b)
        {
            case (StrValue x, StrValue y):
                return Markup.Add(x, y);
            case (SequenceValue x, SequenceValue y) when x is ListValue == y is ListValue:
                RenderBudget.Current.Step(x.Items.Count + y.Items.Count);
                Value[] items = [.. x.Items, .. y.Items];
                return x is ListValue ? new ListValue(items) : new TupleValue(items);
            case (BytesValue x, BytesValue y):
                return new BytesValue([.. x.Bytes, .. y.Bytes]);
            case (StrValue, _):
                throw TemplateError.Type($"can only concatenate str (not \"{b.TypeName}\") to str");
            default:
                throw Unsupported("+", a, b);
        }
    }

    private static Value Repeat(Value a, Value b)
    {
        (Value sequence, NumberValue? times) = b is NumberValue right ? (a, right) : (b, a as NumberValue);
        if (times is not { IsInteger: true })
        {
            throw Unsupported("*", a, b);
        }

        if (times.Integer < long.MinValue || times.Integer > long.MaxValue)
        {
            throw new TemplateError(ErrorKind.Overflow, "cannot fit 'int' into an index-sized integer");
        }

        BigInteger count = BigInteger.Max(0, times.Integer);
        switch (sequence)
        {
            case StrValue text:
                RenderBudget.Current.Chars((long)BigInteger.Min(long.MaxValue, count * text.Text.Length));
                return new StrValue(text.Text.Length == 0 ? "" : string.Concat(Enumerable.Repeat(text.Text, (int)count)), text.IsMarkup);
            case SequenceValue list:
                BigInteger total = count * list.Items.Count;
                RenderBudget.Current.Step((long)BigInteger.Min(int.MaxValue, total));
                var items = new List<Value>((int)total);
                for (int i = 0; i < count && list.Items.Count > 0; i++)
                {
                    items.AddRange(list.Items);
                }

                return list is ListValue ? new ListValue(items) : new TupleValue(items);
            default:
                throw Unsupported("*", a, b);
        }
    }

    private static void RefuseUndefined(Value a, Value b)
    {
        if (a is UndefinedValue left)
        {
            throw left.Failure();
        }

        if (b is UndefinedValue undefined)
        {
            throw undefined.Failure();
        }
    }

    private static TemplateError Unsupported(string symbol, Value a, Value b) =>
        TemplateError.Type($"unsupported operand type(s) for {symbol}: '{a.TypeName}' and '{b.TypeName}'");

    private static TemplateError NotOrdered(string symbol, Value a, Value b) =>
        TemplateError.Type($"'{symbol}' not supported between instances of '{a.TypeName}' and '{b.TypeName}'");
}
