using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>Attributes and methods of int, bool and float.</summary>
internal static class NumberMethods
{
    public static bool TryGet(NumberValue number, string name, [NotNullWhen(true)] out Value? value)
    {
        Value same = number is BoolValue ? IntValue.Of(number.Integer) : number;
        value = name switch
        {
            "real" => same,
            "imag" => number.IsInteger ? IntValue.Of(0) : new FloatValue(0),
            "conjugate" => Method(name, () => same),
            "is_integer" when !number.IsInteger => Method(name, () => BoolValue.Of(double.IsFinite(number.Double) && Math.Floor(number.Double) == number.Double)),
            "as_integer_ratio" => Method(name, () => Ratio(number)),
            "numerator" when number.IsInteger => same,
            "denominator" when number.IsInteger => IntValue.Of(1),
            "bit_length" when number.IsInteger => Method(name, () => IntValue.Of((int)BigInteger.Abs(number.Integer).GetBitLength())),
            "bit_count" when number.IsInteger => Method(name, () => IntValue.Of(BitCount(number.Integer))),
            "hex" when !number.IsInteger => Method(name, () => new StrValue(Hex(number.Double))),
            _ => null,
        };
        return value is not null;
    }

    private static BuiltinFunction Method(string name, Func<Value> body) =>
        new(name, (_, arguments) => arguments.Count == 0 ? body() : throw TemplateError.Type($"{name}() takes no arguments ({arguments.Count} given)"));

    private static int BitCount(BigInteger value) => BigInteger.Abs(value).ToByteArray().Sum(item => BitOperations.PopCount(item));

    private static TupleValue Ratio(NumberValue number)
    {
        if (number.IsInteger)
        {
            return new TupleValue([IntValue.Of(number.Integer), IntValue.Of(1)]);
        }

        double value = number.Double;
        Arithmetic.Truncate(value);
        BigInteger denominator = BigInteger.One;
        while (Math.Floor(value) != value)
        {
            value *= 2;
            denominator *= 2;
        }

        return new TupleValue([IntValue.Of(new BigInteger(value)), IntValue.Of(denominator)]);
    }

    private static string Hex(double value)
    {
        if (!double.IsFinite(value))
        {
            return FloatFormat.Repr(value);
        }

        long bits = BitConverter.DoubleToInt64Bits(value);
        long exponent = (bits >> 52) & 0x7FF;
        long fraction = bits & 0xFFFFFFFFFFFFF;
        string sign = bits < 0 ? "-" : "";
        if (exponent == 0 && fraction == 0)
        {
            return sign + "0x0.0p+0";
        }

        long power = Math.Max(exponent, 1) - 1023;
        return $"{sign}0x{(exponent == 0 ? 0 : 1)}.{fraction:x13}p{(power < 0 ? "" : "+")}{power}";
    }
}
