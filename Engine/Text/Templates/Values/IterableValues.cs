using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>range(), at most <see cref="MaxLength"/> long as in the reference's sandbox.</summary>
internal sealed class RangeValue(BigInteger start, BigInteger stop, BigInteger step, int count) : Value
{
    public const int MaxLength = 100_000;

    public override string TypeName => "range";

    public override bool IsTrue => count > 0;

    public override bool IsIterable => true;

    public override int? Length => count;

    public static RangeValue Create(BigInteger start, BigInteger stop, BigInteger step)
    {
        if (step.IsZero)
        {
            throw TemplateError.Value("range() arg 3 must not be zero");
        }

        BigInteger span = step.Sign > 0 ? stop - start : start - stop;
        BigInteger count = span.Sign <= 0 ? BigInteger.Zero : ((span - 1) / BigInteger.Abs(step)) + 1;
        return count <= MaxLength
            ? new RangeValue(start, stop, step, (int)count)
            : throw new TemplateError(ErrorKind.Overflow, $"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MaxLength}).");
    }

    public override IEnumerable<Value> Iterate()
    {
        for (int i = 0; i < count; i++)
        {
            yield return At(i);
        }
    }

    public override IEnumerable<Value>? IterateReversed() => Enumerable.Range(1, count).Select(i => (Value)At(count - i));

    public override bool TryGetItem(Value key, [NotNullWhen(true)] out Value? value)
    {
        value = SliceBounds.TryIndex(key, count, out int index) ? At(index) : null;
        return value is not null;
    }

    public override Value GetSlice(SliceBounds bounds)
    {
        (int first, int stride, int length) = bounds.Resolve(count, out int last);
        return new RangeValue(start + (first * step), start + (last * step), step * stride, length);
    }

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value)
    {
        value = name switch
        {
            "start" => IntValue.Of(start),
            "stop" => IntValue.Of(stop),
            "step" => IntValue.Of(step),
            "count" or "index" => new BuiltinFunction(name, (_, arguments) => Builtins.SequenceMethods.Search(name, [.. Iterate()], arguments, "range")),
            _ => null,
        };
        return value is not null;
    }

    public override bool PythonEquals(Value other) =>
        other is RangeValue range && range.Length == count && Iterate().SequenceEqual(range.Iterate(), ValueComparer.Instance);

    public override int PythonHash() => HashCode.Combine(count, count > 0 ? start : BigInteger.Zero);

    public override void WriteRepr(TextBuffer output) =>
        output.Append($"range({start}, {stop}").Append(step.IsOne ? ")" : $", {step})");

    private IntValue At(int index) => IntValue.Of(start + (index * step));
}

/// <summary>A generator or iterator: read once, without length or index.</summary>
internal sealed class IteratorValue(string typeName, IEnumerable<Value> source) : Value
{
    private IEnumerator<Value>? _enumerator;

    public override string TypeName => typeName;

    public override bool IsIterable => true;

    public override IEnumerable<Value> Iterate()
    {
        _enumerator ??= source.GetEnumerator();
        while (_enumerator.MoveNext())
        {
            yield return _enumerator.Current;
        }
    }

    // Python prints an address; we have none to give away.
    public override void WriteRepr(TextBuffer output) => output.Append($"<{typeName} object at 0x0>");
}
