using System.Numerics;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>The three parts of a[start:stop:step], null where left out.</summary>
internal readonly record struct SliceBounds(BigInteger? Start, BigInteger? Stop, BigInteger? Step)
{
    public static SliceBounds From(Value start, Value stop, Value step)
    {
        // Python looks at the step first, so its errors come first.
        BigInteger? stride = Part(step);
        return stride is { IsZero: true } ? throw TemplateError.Value("slice step cannot be zero") : new(Part(start), Part(stop), stride);
    }

    /// <summary>Python's index rule: integers only, negative from the end.</summary>
    public static bool TryIndex(Value key, int length, out int index)
    {
        index = 0;
        if (key is not NumberValue { IsInteger: true } number)
        {
            return false;
        }

        BigInteger position = number.Integer;
        if (position < 0)
        {
            position += length;
        }

        if (position < 0 || position >= length)
        {
            return false;
        }

        index = (int)position;
        return true;
    }

    /// <summary>First index, step and count over a sequence of <paramref name="length"/>.</summary>
    public (int First, int Step, int Count) Resolve(int length) => Resolve(length, out _);

    /// <summary>The same, and the bound that the last index does not reach.</summary>
    public (int First, int Step, int Count) Resolve(int length, out int last)
    {
        BigInteger step = Step ?? BigInteger.One;
        if (step.IsZero)
        {
            throw TemplateError.Value("slice step cannot be zero");
        }

        // Beyond the sequence's length a step behaves like any other such step.
        int stride = (int)BigInteger.Max(-int.MaxValue, BigInteger.Min(int.MaxValue, step));
        bool forward = stride > 0;
        int lowest = forward ? 0 : -1;
        int highest = forward ? length : length - 1;
        int first = Start is { } start ? Clamp(start, length, lowest, highest) : forward ? lowest : highest;
        last = Stop is { } stop ? Clamp(stop, length, lowest, highest) : forward ? highest : lowest;
        long span = forward ? (long)last - first : (long)first - last;
        long width = Math.Abs((long)stride);
        return (first, stride, span <= 0 ? 0 : (int)((span - 1) / width) + 1);
    }

    public IEnumerable<int> Indices(int length)
    {
        (int first, int step, int count) = Resolve(length);
        for (int i = 0; i < count; i++)
        {
            yield return first + (i * step);
        }
    }

    private static int Clamp(BigInteger value, int length, int lowest, int highest)
    {
        if (value < 0)
        {
            value += length;
        }

        return value < lowest ? lowest : value > highest ? highest : (int)value;
    }

    private static BigInteger? Part(Value value) => value switch
    {
        NoneValue => null,
        NumberValue { IsInteger: true } number => number.Integer,
        _ => throw TemplateError.Type("slice indices must be integers or None or have an __index__ method"),
    };
}
