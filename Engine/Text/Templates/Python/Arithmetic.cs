using System.Numerics;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Python's arithmetic on int (of any size), bool and float.</summary>
internal static class Arithmetic
{
    /// <summary>Integers beyond this need seconds to multiply or print; no chat template comes near it.</summary>
    private const long MaxBits = 1 << 20;

    public static Value Add(NumberValue a, NumberValue b) => Exact(a, b) ? Checked(a.Integer + b.Integer) : new FloatValue(a.Double + b.Double);

    public static Value Subtract(NumberValue a, NumberValue b) => Exact(a, b) ? Checked(a.Integer - b.Integer) : new FloatValue(a.Double - b.Double);

    public static Value Multiply(NumberValue a, NumberValue b) => Exact(a, b) ? Checked(a.Integer * b.Integer) : new FloatValue(a.Double * b.Double);

    public static Value Divide(NumberValue a, NumberValue b)
    {
        RefuseZero(b, Exact(a, b) ? "division by zero" : "float division by zero");
        return new FloatValue(Exact(a, b) ? DivideExactly(a.Integer, b.Integer) : a.Double / b.Double);
    }

    public static Value FloorDivide(NumberValue a, NumberValue b)
    {
        RefuseZero(b, "integer division or modulo by zero");
        if (Exact(a, b))
        {
            BigInteger quotient = BigInteger.DivRem(a.Integer, b.Integer, out BigInteger remainder);
            return IntValue.Of(!remainder.IsZero && remainder.Sign != b.Integer.Sign ? quotient - 1 : quotient);
        }

        return new FloatValue(FloorDivide(a.Double, b.Double));
    }

    public static Value Modulo(NumberValue a, NumberValue b)
    {
        RefuseZero(b, "integer division or modulo by zero");
        if (Exact(a, b))
        {
            BigInteger remainder = BigInteger.Remainder(a.Integer, b.Integer);
            return IntValue.Of(!remainder.IsZero && remainder.Sign != b.Integer.Sign ? remainder + b.Integer : remainder);
        }

        return new FloatValue(Modulo(a.Double, b.Double));
    }

    public static Value Power(NumberValue a, NumberValue b)
    {
        if (Exact(a, b) && b.Integer.Sign >= 0)
        {
            BigInteger @base = a.Integer;
            long bits = BigInteger.Abs(@base).GetBitLength();
            if (bits > 1 && (b.Integer > MaxBits || bits * (long)b.Integer > MaxBits))
            {
                throw TooBig();
            }

            return IntValue.Of(bits <= 1 ? SmallPower(@base, b.Integer) : BigInteger.Pow(@base, (int)b.Integer));
        }

        double x = a.Double;
        double y = b.Double;
        if (x == 0 && y < 0)
        {
            throw new TemplateError(ErrorKind.ZeroDivision, "0.0 cannot be raised to a negative power");
        }

        if (x < 0 && double.IsFinite(x) && double.IsFinite(y) && Math.Floor(y) != y)
        {
            throw TemplateError.Type("a negative number to a fractional power is complex, which templates do not support");
        }

        double power = Math.Pow(x, y);
        return double.IsInfinity(power) && double.IsFinite(x) && double.IsFinite(y)
            ? throw new TemplateError(ErrorKind.Overflow, "(34, 'Numerical result out of range')")
            : new FloatValue(power);
    }

    public static Value Negate(NumberValue a) => a.IsInteger ? IntValue.Of(-a.Integer) : new FloatValue(-a.Double);

    public static Value Absolute(NumberValue a) => a.IsInteger ? IntValue.Of(BigInteger.Abs(a.Integer)) : new FloatValue(Math.Abs(a.Double));

    /// <summary>-1, 0 or 1; 2 when one is NaN and nothing holds.</summary>
    public static int Compare(NumberValue a, NumberValue b)
    {
        if (Exact(a, b))
        {
            return a.Integer.CompareTo(b.Integer);
        }

        if (!a.IsInteger && !b.IsInteger)
        {
            double x = a.Double;
            double y = b.Double;
            return double.IsNaN(x) || double.IsNaN(y) ? 2 : x.CompareTo(y);
        }

        return a.IsInteger ? CompareMixed(a.Integer, b.Double) : Flip(CompareMixed(b.Integer, a.Double));
    }

    /// <summary>Nearest double, ties to even; raises when out of range.</summary>
    public static double ToDouble(BigInteger value)
    {
        if (BigInteger.Abs(value).GetBitLength() <= 53)
        {
            return (double)value;
        }

        return DivideExactly(value, BigInteger.One);
    }

    /// <summary>int(x): towards zero.</summary>
    public static BigInteger Truncate(double value) => double.IsNaN(value)
        ? throw TemplateError.Value("cannot convert float NaN to integer")
        : double.IsInfinity(value)
            ? throw new TemplateError(ErrorKind.Overflow, "cannot convert float infinity to integer")
            : new BigInteger(value);

    private static bool Exact(NumberValue a, NumberValue b) => a.IsInteger && b.IsInteger;

    private static IntValue Checked(BigInteger value) => value.GetBitLength() > MaxBits ? throw TooBig() : IntValue.Of(value);

    private static TemplateError TooBig() => new(ErrorKind.Limit, $"An integer of more than {MaxBits:N0} bits; the template multiplies without end.");

    private static BigInteger SmallPower(BigInteger @base, BigInteger exponent) =>
        exponent.IsZero ? BigInteger.One : @base.Sign < 0 && !exponent.IsEven ? BigInteger.MinusOne : BigInteger.Abs(@base);

    private static void RefuseZero(NumberValue divisor, string message)
    {
        if (!divisor.IsTrue)
        {
            throw new TemplateError(ErrorKind.ZeroDivision, message);
        }
    }

    private static double DivideExactly(BigInteger a, BigInteger b)
    {
        if (BigInteger.Abs(a).GetBitLength() <= 53 && BigInteger.Abs(b).GetBitLength() <= 53)
        {
            return (double)a / (double)b;
        }

        bool negative = a.Sign < 0 != b.Sign < 0;
        if (a.IsZero)
        {
            return negative ? -0.0 : 0.0;
        }

        a = BigInteger.Abs(a);
        b = BigInteger.Abs(b);

        // 66 bits or so of quotient, the remainder folded into the lowest, then one rounding to 53.
        int shift = (int)(b.GetBitLength() - a.GetBitLength()) + 66;
        BigInteger quotient = BigInteger.DivRem(shift >= 0 ? a << shift : a, shift >= 0 ? b : b << -shift, out BigInteger remainder);
        if (!remainder.IsZero)
        {
            quotient |= BigInteger.One;
        }

        int excess = (int)quotient.GetBitLength() - 53;
        BigInteger mantissa = quotient >> excess;
        BigInteger rest = quotient - (mantissa << excess);
        int half = rest.CompareTo(BigInteger.One << (excess - 1));
        if (half > 0 || (half == 0 && !mantissa.IsEven))
        {
            mantissa++;
        }

        double result = Math.ScaleB((double)mantissa, excess - shift);
        return double.IsInfinity(result)
            ? throw new TemplateError(ErrorKind.Overflow, "integer division result too large for a float")
            : negative ? -result : result;
    }

    private static double Modulo(double x, double y)
    {
        double remainder = x % y;
        if (remainder != 0)
        {
            return (y < 0) != (remainder < 0) ? remainder + y : remainder;
        }

        return Math.CopySign(0, y);
    }

    private static double FloorDivide(double x, double y)
    {
        double remainder = x % y;
        double quotient = (x - remainder) / y;
        if (remainder != 0 && (y < 0) != (remainder < 0))
        {
            quotient -= 1;
        }

        if (quotient == 0)
        {
            return Math.CopySign(0, x / y);
        }

        double floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    private static int CompareMixed(BigInteger a, double b)
    {
        if (double.IsNaN(b))
        {
            return 2;
        }

        if (double.IsInfinity(b))
        {
            return b > 0 ? -1 : 1;
        }

        double whole = Math.Floor(b);
        int order = a.CompareTo(new BigInteger(whole));
        return order != 0 ? order : whole < b ? -1 : 0;
    }

    private static int Flip(int order) => order == 2 ? 2 : -order;
}
