namespace Fastgen.Dashboard.Observation;

/// <summary>The last values of a rate, one for each tick.</summary>
internal sealed class RateHistory(int capacity)
{
    private readonly Queue<double> _values = new(capacity);

    public void Add(double value)
    {
        if (_values.Count == capacity)
        {
            _values.Dequeue();
        }

        _values.Enqueue(value);
    }

    /// <summary>Oldest first.</summary>
    public double[] ToArray() => [.. _values];
}
