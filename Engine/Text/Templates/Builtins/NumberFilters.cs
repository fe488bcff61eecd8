using System.Globalization;
using System.Numerics;
using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

internal static class NumberFilters
{
    private static readonly string[] BinaryUnits = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
    private static readonly string[] DecimalUnits = ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];

    public static readonly Dictionary<string, Filter> All = new()
    {
        ["abs"] = new("abs", "x /", (_, a) => a[0] is NumberValue number ? Arithmetic.Absolute(number) : throw TemplateError.Type($"bad operand type for abs(): '{a[0]!.TypeName}'")),
        ["filesizeformat"] = new("filesizeformat", "value binary?", (_, a) => new StrValue(FileSize(Coerce.Float(a[0]!), Coerce.Truth(a[1])))),
        ["float"] = new("float", "value default?", (_, a) => Float(a[0]!, a[1])),
        ["int"] = new("int", "value default? base?", (_, a) => Int(a)),
        ["round"] = new("round", "value precision? method?", (_, a) => Round(a)),
    };

    private static Value Float(Value value, Value? fallback)
    {
        try
        {
            return new FloatValue(Coerce.Float(value));
        }
        catch (TemplateError e) when (e.Kind is ErrorKind.Type or ErrorKind.Value)
        {
            return fallback ?? new FloatValue(0);
        }
    }

    private static Value Int(Value?[] a)
    {
        Value value = a[0]!;
        switch (value)
        {
            case NumberValue { IsInteger: true } number:
                return IntValue.Of(number.Integer);
            case NumberValue number:
                return double.IsNaN(number.Double) ? a[1] ?? IntValue.Of(0) : IntValue.Of(Arithmetic.Truncate(number.Double));
            case UndefinedValue undefined:
                throw undefined.Failure();
            case StrValue text:
                // A base that is no number, or none of Python's, makes the text unreadable, not the call wrong.
                int radix = a[2] is null or NumberValue { IsInteger: true } ? Coerce.Int(a[2], 10) : -1;
                if (radix is 0 or (>= 2 and <= 36) && IntegerFormat.TryParse(text.Text, radix, out BigInteger parsed))
                {
                    return IntValue.Of(parsed);
                }

                // The quirk that makes "42.23"|int give 42.
                return FloatFormat.TryParse(text.Text, out double real) && double.IsFinite(real) ? IntValue.Of(new BigInteger(real)) : a[1] ?? IntValue.Of(0);
            default:
                return a[1] ?? IntValue.Of(0);
        }
    }

    private static Value Round(Value?[] a)
    {
        string method = a[2] is null ? "common" : a[2] is StrValue name ? name.Text : "";
        if (method is not ("common" or "ceil" or "floor"))
        {
            throw new TemplateError(ErrorKind.Raised, "method must be common, ceil or floor");
        }

        if (a[0] is not NumberValue value)
        {
            throw a[0] is UndefinedValue undefined ? undefined.Failure() : TemplateError.Type($"type {a[0]!.TypeName} doesn't define __round__ method");
        }

        if (method == "common")
        {
            if (a[1] is NoneValue)
            {
                return value.IsInteger ? IntValue.Of(value.Integer) : IntValue.Of(Arithmetic.Truncate(Math.Round(value.Double, MidpointRounding.ToEven)));
            }

            int precision = Coerce.Int(a[1], 0);
            return value.IsInteger ? IntValue.Of(RoundInteger(value.Integer, precision)) : new FloatValue(FloatFormat.Round(value.Double, precision));
        }

        var scale = (NumberValue)Operators.Binary("**", IntValue.Of(10), a[1] ?? IntValue.Of(0));
        var scaled = (NumberValue)Operators.Binary("*", value, scale);
        Value whole = scaled.IsInteger ? scaled : IntValue.Of(Arithmetic.Truncate(method == "ceil" ? Math.Ceiling(scaled.Double) : Math.Floor(scaled.Double)));
        return Operators.Binary("/", whole, scale);
    }

    private static BigInteger RoundInteger(BigInteger value, int precision)
    {
        if (precision >= 0)
        {
            return value;
        }

        if (precision < -5000)
        {
            return BigInteger.Zero;
        }

        BigInteger unit = BigInteger.Pow(10, -precision);
        BigInteger quotient = BigInteger.DivRem(BigInteger.Abs(value), unit, out BigInteger remainder);
        int half = (remainder * 2).CompareTo(unit);
        quotient += half > 0 || (half == 0 && !quotient.IsEven) ? 1 : 0;
        return quotient * unit * value.Sign;
    }

    private static string FileSize(double bytes, bool binary)
    {
        int unit = binary ? 1024 : 1000;
        if (bytes == 1)
        {
            return "1 Byte";
        }

        if (bytes < unit)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{Arithmetic.Truncate(bytes)} Bytes");
        }

        string[] names = binary ? BinaryUnits : DecimalUnits;
        double size = unit;
        int i = 0;
        while (i < names.Length - 1 && bytes >= size * unit)
        {
            size *= unit;
            i++;
        }

        return $"{FloatFormat.Fixed(unit * bytes / (size * unit), 1)} {names[i]}";
    }
}
