using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>The angles of the layers' rotary embeddings on the device, a row of cosines and sines for each position; layers of one kind share a table.</summary>
/// <remarks>Where angles depend on the length of the sequence, each step tells which row a token takes: longrope has a second half of the
/// table for long sequences; dynamic scaling has angles for every length, so rows of such tokens are computed on the host for the step.</remarks>
internal sealed unsafe class CudaRotary : IDisposable
{
    private readonly List<Kind> _kinds = [];
    private readonly int[] _kindOfLayer;
    private readonly int _lengthDependent;

    /// <param name="rotary">[layers]; layers may share one.</param>
    /// <param name="positions">Most tokens of a sequence.</param>
    /// <param name="stepTokens">Most tokens of a step.</param>
    public CudaRotary(CudaDevice device, IReadOnlyList<RotaryFrequencies> rotary, int positions, int stepTokens)
    {
        RotaryFrequencies[] distinct = [.. rotary.Distinct()];
        _kindOfLayer = [.. rotary.Select(frequencies => Array.IndexOf(distinct, frequencies))];
        foreach (RotaryFrequencies frequencies in distinct)
        {
            bool changes = frequencies.DependsOnLength && frequencies.Regime(positions) != 0;
            _kinds.Add(new Kind(device, frequencies, positions, stepTokens, changes ? _lengthDependent++ : null));
        }
    }

    /// <summary>Kinds for which <see cref="StepArena"/> holds rows of their own.</summary>
    public int LengthDependentKinds => _lengthDependent;

    /// <summary>[rows, rotaryDim / 2] pairs of float32.</summary>
    public nint CosSin(int layer) => Of(layer).Angles.Address;

    /// <summary>[positions] factors on queries; 0 where they are not scaled.</summary>
    public nint QueryScales(int layer) => Of(layer).QueryScales?.Address ?? 0;

    public int RotaryDim(int layer) => Of(layer).Frequencies.RotaryDim;

    /// <summary>[tokens] row of each token of the step.</summary>
    public nint Rows(int layer, StepArena arena) => Of(layer).Place is { } place ? arena.AngleRows(place) : arena.Positions;

    /// <summary>Before the arena is sent: sets the rows of a step.</summary>
    public void Fill(Batch batch, StepArena arena)
    {
        foreach (Kind kind in _kinds)
        {
            kind.Fill(batch, arena);
        }
    }

    public void Dispose() => _kinds.ForEach(kind => kind.Dispose());

    private Kind Of(int layer) => _kinds[_kindOfLayer[layer]];

    /// <summary>The table of one kind of layers.</summary>
    private sealed class Kind : IDisposable
    {
        private readonly CudaDevice _device;
        private readonly int _positions;
        private readonly int _half;

        // Dynamic scaling: rows of a step, two so that the one before may be on its way still.
        private readonly PinnedBuffer[] _stepRows = [];

        public Kind(CudaDevice device, RotaryFrequencies frequencies, int positions, int stepTokens, int? place)
        {
            _device = device;
            _positions = positions;
            _half = frequencies.RotaryDim / 2;
            Frequencies = frequencies;
            Place = place;
            bool dynamic = place is not null && frequencies.HasRegimeOfEachLength;
            long rowBytes = _half * 2L * sizeof(float);
            long rows = positions + (place is null ? 0 : dynamic ? stepTokens : positions);
            Angles = new DeviceBuffer(device, rows * rowBytes, "rotary angles");
            Send(Angles.Address, Table(length: 0));
            if (dynamic)
            {
                _stepRows = [new PinnedBuffer(stepTokens * rowBytes, "the angles of a step"), new PinnedBuffer(stepTokens * rowBytes, "the angles of a step")];
            }
            else if (place is not null)
            {
                Send(Angles.Address + (nint)(positions * rowBytes), Table(positions));
            }

            if (frequencies.ScalesQueries)
            {
                float[] scales = [.. Enumerable.Range(0, positions).Select(frequencies.QueryScale)];
                QueryScales = new DeviceBuffer(device, positions * (long)sizeof(float), "factors on queries");
                Send(QueryScales.Address, scales);
            }
        }

        public RotaryFrequencies Frequencies { get; }

        public DeviceBuffer Angles { get; }

        public DeviceBuffer? QueryScales { get; }

        /// <summary>Number among the kinds that depend on the length; null for others.</summary>
        public int? Place { get; }

        public void Fill(Batch batch, StepArena arena)
        {
            if (Place is not { } place)
            {
                return;
            }

            Span<int> rows = arena.AngleRowsOnHost(place, batch.TokenCount);
            PinnedBuffer? staging = _stepRows.Length == 0 ? null : _stepRows[(int)(batch.StepNumber & 1)];
            int first = int.MaxValue, end = 0;
            for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
            {
                int length = batch.SequenceLengths[sequence];
                if (Frequencies.Regime(length) == 0)
                {
                    continue;
                }

                for (int token = batch.QueryStarts[sequence]; token < batch.QueryStarts[sequence + 1]; token++)
                {
                    rows[token] = _positions + (staging is null ? batch.Positions[token] : token);
                    if (staging is not null)
                    {
                        Row(batch.Positions[token], length, staging.Span<float>((long)token * _half * 2 * sizeof(float), _half * 2));
                        (first, end) = (Math.Min(first, token), token + 1);
                    }
                }
            }

            if (end > 0)
            {
                long rowBytes = _half * 2L * sizeof(float);
                Driver.CopyToDeviceAsync(Angles.Address + (nint)((_positions + first) * rowBytes), staging!.Pointer + (first * rowBytes), (nuint)((end - first) * rowBytes), _device.Stream).Check();
            }
        }

        public void Dispose()
        {
            Angles.Dispose();
            QueryScales?.Dispose();
            foreach (PinnedBuffer buffer in _stepRows)
            {
                buffer.Dispose();
            }
        }

        /// <summary>Angles of all positions in sequences of a length.</summary>
        private float[] Table(int length)
        {
            float[] table = new float[(long)_positions * _half * 2];
            Parallel.For(0, _positions, position => Row(position, length, table.AsSpan(position * _half * 2, _half * 2)));
            return table;
        }

        private void Row(int position, int length, Span<float> row)
        {
            Span<float> cosine = stackalloc float[_half], sine = stackalloc float[_half];
            Frequencies.Angles(position, length, cosine, sine);
            for (int i = 0; i < _half; i++)
            {
                row[2 * i] = cosine[i];
                row[(2 * i) + 1] = sine[i];
            }
        }

        private void Send(nint destination, float[] values)
        {
            fixed (float* source = values)
            {
                Driver.CopyToDeviceAsync(destination, source, (nuint)values.Length * sizeof(float), _device.Stream).Check();
                _device.Synchronize();
            }
        }
    }
}
