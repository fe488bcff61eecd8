using System.Globalization;
using System.Numerics;
using Fastgen.Engine.Text.Templates.Python;

namespace Fastgen.Engine.Text.Templates.Values;

internal sealed class NoneValue : Value
{
    public static readonly NoneValue Instance = new();

    public override string TypeName => "NoneType";

    public override bool IsTrue => false;

    public override void WriteRepr(TextBuffer output) => output.Append("None");

    public override string Str() => "None";
}

/// <summary>bool, int or float: what Python's arithmetic takes.</summary>
internal abstract class NumberValue : Value
{
    /// <summary>The value as an integer; only where <see cref="IsInteger"/>.</summary>
    public abstract BigInteger Integer { get; }

    public abstract bool IsInteger { get; }

    public abstract double Double { get; }

    public override bool PythonEquals(Value other) => other is NumberValue number && Arithmetic.Compare(this, number) == 0;

    public override int PythonHash() => IsInteger ? Integer.GetHashCode() : DoubleHash(Double);

    public override bool TryGetAttribute(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Value? value)
        => Builtins.NumberMethods.TryGet(this, name, out value);

    private static int DoubleHash(double value) =>
        Math.Floor(value) == value && !double.IsInfinity(value) ? new BigInteger(value).GetHashCode() : value.GetHashCode();
}

internal sealed class BoolValue : NumberValue
{
    public static readonly BoolValue True = new(true);
    public static readonly BoolValue False = new(false);
    private readonly bool _value;

    private BoolValue(bool value) => _value = value;

    public override string TypeName => "bool";

    public override bool IsTrue => _value;

    public override bool IsInteger => true;

    public override BigInteger Integer => _value ? BigInteger.One : BigInteger.Zero;

    public override double Double => _value ? 1 : 0;

    public static BoolValue Of(bool value) => value ? True : False;

    public override void WriteRepr(TextBuffer output) => output.Append(_value ? "True" : "False");

    public override string Str() => _value ? "True" : "False";
}

internal sealed class IntValue(BigInteger value) : NumberValue
{
    private static readonly IntValue[] Small = CreateSmall();

    public override string TypeName => "int";

    public override bool IsTrue => !value.IsZero;

    public override bool IsInteger => true;

    public override BigInteger Integer => value;

    public override double Double => Arithmetic.ToDouble(value);

    public static IntValue Of(int value) => (uint)(value + 16) < Small.Length ? Small[value + 16] : new IntValue(value);

    public static IntValue Of(BigInteger value) => value >= -16 && value < 1000 ? Of((int)value) : new IntValue(value);

    public override void WriteRepr(TextBuffer output) => output.Append(Str());

    public override string Str() => IntegerFormat.ToDecimal(value);

    private static IntValue[] CreateSmall()
    {
        var small = new IntValue[1016];
        for (int i = 0; i < small.Length; i++)
        {
            small[i] = new IntValue(i - 16);
        }

        return small;
    }
}

internal sealed class FloatValue(double value) : NumberValue
{
    public override string TypeName => "float";

    public override bool IsTrue => value != 0;

    public override bool IsInteger => false;

    public override BigInteger Integer => throw TemplateError.Type("'float' object cannot be interpreted as an integer");

    public override double Double => value;

    public override void WriteRepr(TextBuffer output) => output.Append(FloatFormat.Repr(value));
}

/// <summary>bytes, which only str.encode makes.</summary>
internal sealed class BytesValue(byte[] bytes) : Value
{
    public byte[] Bytes { get; } = bytes;

    public override string TypeName => "bytes";

    public override bool IsTrue => Bytes.Length > 0;

    public override bool IsIterable => true;

    public override int? Length => Bytes.Length;

    public override IEnumerable<Value> Iterate()
    {
        foreach (byte item in Bytes)
        {
            yield return IntValue.Of(item);
        }
    }

    public override IEnumerable<Value>? IterateReversed() => Iterate().Reverse();

    public override bool TryGetItem(Value key, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Value? value)
    {
        value = SliceBounds.TryIndex(key, Bytes.Length, out int index) ? IntValue.Of(Bytes[index]) : null;
        return value is not null;
    }

    public override Value GetSlice(SliceBounds bounds)
    {
        var picked = new List<byte>();
        foreach (int index in bounds.Indices(Bytes.Length))
        {
            picked.Add(Bytes[index]);
        }

        return new BytesValue([.. picked]);
    }

    public override bool TryGetAttribute(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Value? value)
    {
        value = name switch
        {
            "decode" => new BuiltinFunction("decode", (_, arguments) => new StrValue(TextEncodings.Decode(Bytes, arguments.Bind("decode", "encoding? errors?")))),
            "hex" => new BuiltinFunction("hex", (_, _) => new StrValue(Convert.ToHexString(Bytes).ToLowerInvariant())),
            _ => null,
        };
        return value is not null;
    }

    public override bool PythonEquals(Value other) => other is BytesValue bytes && Bytes.AsSpan().SequenceEqual(bytes.Bytes);

    public override int PythonHash()
    {
        var hash = new HashCode();
        hash.AddBytes(Bytes);
        return hash.ToHashCode();
    }

    public override void WriteRepr(TextBuffer output)
    {
        char quote = Bytes.Contains((byte)'\'') && !Bytes.Contains((byte)'"') ? '"' : '\'';
        output.Append('b').Append(quote);
        foreach (byte item in Bytes)
        {
            switch ((char)item)
            {
                case '\\': output.Append("\\\\"); break;
                case '\t': output.Append("\\t"); break;
                case '\n': output.Append("\\n"); break;
                case '\r': output.Append("\\r"); break;
                case var c when c == quote: output.Append('\\').Append(quote); break;
                case < ' ' or > '~': output.Append("\\x").Append(item.ToString("x2", CultureInfo.InvariantCulture)); break;
                default: output.Append((char)item); break;
            }
        }

        output.Append(quote);
    }
}
