using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Cosine and sine of a step's positions, computed once per step for all layers that turn alike.</summary>
internal sealed class RotaryTable(RotaryFrequencies frequencies)
{
    private readonly int _half = frequencies.RotaryDim / 2;
    private float[] _cosine = [];
    private float[] _sine = [];
    private float[] _queryScales = [];

    public bool ScalesQueries => frequencies.ScalesQueries;

    public void Fill(Batch batch)
    {
        var length = batch.TokenCount * _half;
        if (_cosine.Length < length)
        {
            _cosine = new float[length];
            _sine = new float[length];
            _queryScales = new float[batch.TokenCount];
        }

        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            var sequenceLength = batch.SequenceLengths[sequence];
            for (var token = batch.QueryStarts[sequence]; token < batch.QueryStarts[sequence + 1]; token++)
            {
                var position = batch.Positions[token];
                frequencies.Angles(position, sequenceLength, _cosine.AsSpan(token * _half, _half), _sine.AsSpan(token * _half, _half));
                _queryScales[token] = frequencies.QueryScale(position);
            }
        }
    }

    /// <summary>[rotaryDim / 2]</summary>
    public ReadOnlySpan<float> Cosine(int token) => _cosine.AsSpan(token * _half, _half);

    /// <summary>[rotaryDim / 2]</summary>
    public ReadOnlySpan<float> Sine(int token) => _sine.AsSpan(token * _half, _half);

    /// <summary>Factor on the token's queries.</summary>
    public float QueryScale(int token) => _queryScales[token];
}
