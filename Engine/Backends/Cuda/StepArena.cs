using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>The integers of a step on the device, at addresses that never change, so that recorded graphs find them: filled on the host, sent in one copy.</summary>
internal sealed unsafe class StepArena : IDisposable
{
    /// <summary>Keys per tile of the decode kernel.</summary>
    public const int DecodeTile = 64;

    private readonly CudaDevice _device;
    private readonly DeviceBuffer _buffer;
    private readonly PinnedBuffer[] _staging;
    private readonly int?[] _windows;
    private readonly int _promptTile;
    private readonly bool _bySequence;
    private readonly int _angleKinds;
    private readonly Offsets _at;
    private PinnedBuffer _current;

    /// <param name="maxTokens">Most tokens of a step.</param>
    /// <param name="maxSequences">Most sequences of a step.</param>
    /// <param name="maxBlocks">Most blocks of a sequence.</param>
    /// <param name="maxRows">Most sample rows of a step.</param>
    /// <param name="windows">The distinct sliding windows of the model's layers, null for none.</param>
    /// <param name="promptTile">Queries per tile of the prompt kernel.</param>
    /// <param name="bySequence">Kernels ask for the sequence of a token.</param>
    /// <param name="angleKinds">Kinds of rotary embeddings whose tokens take other rows of their tables than their positions.</param>
    public StepArena(CudaDevice device, int maxTokens, int maxSequences, int maxBlocks, int maxRows, int?[] windows, int promptTile, bool bySequence = false, int angleKinds = 0)
    {
        _device = device;
        _windows = windows;
        _promptTile = promptTile;
        MaxTokens = maxTokens;
        MaxSequences = maxSequences;
        MaxBlocks = maxBlocks;
        MaxRows = maxRows;
        _at = new Offsets(maxTokens, maxSequences, maxRows, windows.Length, promptTile, bySequence, angleKinds);
        _bySequence = bySequence;
        _angleKinds = angleKinds;
        long bytes = (_at.Tables + ((long)maxSequences * maxBlocks)) * sizeof(int);
        _buffer = new DeviceBuffer(device, bytes, "the arrays of a step");
        _staging = [new PinnedBuffer(bytes, "the arrays of a step"), new PinnedBuffer(bytes, "the arrays of a step")];
        _current = _staging[0];
    }

    public int MaxTokens { get; }

    public int MaxSequences { get; }

    public int MaxBlocks { get; }

    public int MaxRows { get; }

    public nint TokenIds => Address(_at.TokenIds);

    public nint Positions => Address(_at.Positions);

    public nint Slots => Address(_at.Slots);

    /// <summary>[tokens] sequence of each token, -1 for padding; only if it was asked for.</summary>
    public nint Sequences => Address(_at.Sequences);

    public nint QueryStarts => Address(_at.QueryStarts);

    public nint Contexts => Address(_at.Contexts);

    public nint TableStride => Address(_at.TableStride);

    public nint Tables => Address(_at.Tables);

    public nint LogitRows => Address(_at.LogitRows);

    public nint FeedbackTargets => Address(_at.FeedbackTargets);

    public nint FeedbackSources => Address(_at.FeedbackSources);

    public nint DecodeSequences => Address(_at.DecodeSequences);

    public nint DecodeCount => Address(_at.DecodeCount);

    public nint PromptSequences => Address(_at.PromptSequences);

    public nint PromptQueries => Address(_at.PromptQueries);

    public nint Settings => Address(_at.Settings);

    /// <summary>Sequences of the step that bring one token.</summary>
    public int DecodeItems { get; private set; }

    /// <summary>Tiles of queries of the other sequences.</summary>
    public int PromptTiles { get; private set; }

    /// <summary>Keys that a tile of queries has before its own, on average.</summary>
    public long PromptKeysPerTile { get; private set; }

    /// <summary>Prefix sum of tiles per sequence for layers with this window.</summary>
    public nint DecodeTileStarts(int? window) => Address(_at.TileStarts + (Array.IndexOf(_windows, window) * (MaxSequences + 1)));

    /// <summary>[tokens] rows of a table of angles.</summary>
    public nint AngleRows(int kind) => Address(AngleRowsAt(kind));

    /// <summary>The same before <see cref="Send"/>; they are the positions until changed.</summary>
    public Span<int> AngleRowsOnHost(int kind, int tokens) => Host(AngleRowsAt(kind), tokens);

    /// <summary>Room for the settings of the step's sample rows, to be filled before <see cref="Send"/>.</summary>
    public Span<SampleSetting> SettingsOnHost(int rows) => _current.Span<SampleSetting>(_at.Settings * sizeof(int), rows);

    /// <summary>Fills the host side for a batch.</summary>
    /// <param name="paddedSequences">For decode graphs: as many sequences as the graph has; those past the batch's own do nothing.</param>
    /// <param name="idleSlot">Cache slot that padding writes to.</param>
    public void Fill(Batch batch, int paddedSequences, int idleSlot)
    {
        _current = _staging[(int)(batch.StepNumber & 1)];
        int tokens = batch.TokenCount, sequences = batch.SequenceCount;
        batch.TokenIds.AsSpan(0, tokens).CopyTo(Host(_at.TokenIds, tokens));
        batch.Positions.AsSpan(0, tokens).CopyTo(Host(_at.Positions, tokens));
        batch.SlotMapping.AsSpan(0, tokens).CopyTo(Host(_at.Slots, tokens));
        batch.QueryStarts.AsSpan(0, sequences + 1).CopyTo(Host(_at.QueryStarts, sequences + 1));
        batch.ContextLengths.AsSpan(0, sequences).CopyTo(Host(_at.Contexts, sequences));
        for (int i = 0; _bySequence && i < sequences; i++)
        {
            Host(_at.Sequences + batch.QueryStarts[i], batch.QueryStarts[i + 1] - batch.QueryStarts[i]).Fill(i);
        }

        for (int kind = 0; kind < _angleKinds; kind++)
        {
            batch.Positions.AsSpan(0, tokens).CopyTo(AngleRowsOnHost(kind, tokens));
        }

        int padding = paddedSequences - sequences;
        if (padding > 0)
        {
            Host(_at.TokenIds + tokens, padding).Clear();
            Host(_at.Positions + tokens, padding).Clear();
            Host(_at.Slots + tokens, padding).Fill(idleSlot);
            if (_bySequence)
            {
                Host(_at.Sequences + tokens, padding).Fill(-1);
            }

            for (int kind = 0; kind < _angleKinds; kind++)
            {
                Host(AngleRowsAt(kind) + tokens, padding).Clear();
            }
        }

        Span<int> rows = Host(_at.LogitRows, batch.SampleRows.Count);
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = batch.SampleRows[i].TokenIndex;
        }

        Span<int> targets = Host(_at.FeedbackTargets, batch.Feedback.Count), sources = Host(_at.FeedbackSources, batch.Feedback.Count);
        for (int i = 0; i < targets.Length; i++)
        {
            (targets[i], sources[i]) = batch.Feedback[i];
        }

        FillDecode(batch);
        FillPrompts(batch);
    }

    /// <summary>Sends what was filled; queued on the device's stream.</summary>
    /// <param name="batch">The batch that <see cref="Fill"/> took.</param>
    /// <param name="blockSize">Tokens per block.</param>
    public void Send(Batch batch, int blockSize)
    {
        int longest = 1;
        for (int i = 0; i < batch.SequenceCount; i++)
        {
            longest = Math.Max(longest, (batch.ContextLengths[i] + blockSize - 1) / blockSize);
        }

        Host(_at.TableStride, 1)[0] = longest;
        Span<int> tables = Host(_at.Tables, batch.SequenceCount * longest);
        for (int i = 0; i < batch.SequenceCount; i++)
        {
            batch.BlockTables.AsSpan(i * batch.MaxBlocksPerSequence, Math.Min(longest, batch.MaxBlocksPerSequence)).CopyTo(tables[(i * longest)..]);
        }

        nuint bytes = (nuint)(_at.Tables + tables.Length) * sizeof(int);
        Driver.CopyToDeviceAsync(_buffer.Address, _current.Pointer, bytes, _device.Stream).Check();
    }

    public void Dispose()
    {
        _buffer.Dispose();
        foreach (PinnedBuffer staging in _staging)
        {
            staging.Dispose();
        }
    }

    private void FillDecode(Batch batch)
    {
        Span<int> sequences = Host(_at.DecodeSequences, batch.SequenceCount);
        int items = 0;
        for (int i = 0; i < batch.SequenceCount; i++)
        {
            if (batch.QueryStarts[i + 1] - batch.QueryStarts[i] == 1)
            {
                sequences[items++] = i;
            }
        }

        DecodeItems = items;
        Host(_at.DecodeCount, 1)[0] = items;
        for (int w = 0; w < _windows.Length; w++)
        {
            Span<int> starts = Host(_at.TileStarts + (w * (MaxSequences + 1)), items + 1);
            int window = _windows[w] ?? int.MaxValue;
            starts[0] = 0;
            for (int i = 0; i < items; i++)
            {
                int context = batch.ContextLengths[sequences[i]];
                int first = context > window ? context - window : 0;
                starts[i + 1] = starts[i] + ((context + DecodeTile - 1) / DecodeTile) - (first / DecodeTile);
            }
        }
    }

    private void FillPrompts(Batch batch)
    {
        int tiles = 0;
        long allKeys = 0;
        Span<int> sequences = Host(_at.PromptSequences, _at.PromptTileLimit), queries = Host(_at.PromptQueries, _at.PromptTileLimit);
        Span<long> keys = _current.Span<long>(_at.PromptKeys * sizeof(int), _at.PromptTileLimit);
        for (int i = 0; i < batch.SequenceCount; i++)
        {
            int count = batch.QueryStarts[i + 1] - batch.QueryStarts[i];
            for (int q = 0; count > 1 && q < count; q += _promptTile)
            {
                // Longest first, so that the last tiles to start are short ones.
                long work = batch.ContextLengths[i] - count + q;
                allKeys += work;
                keys[tiles] = -((work << 32) | (uint)tiles);
                sequences[tiles] = i;
                queries[tiles++] = q;
            }
        }

        PromptTiles = tiles;
        PromptKeysPerTile = allKeys / Math.Max(1, tiles);
        if (tiles > 1)
        {
            Span<int> unsortedSequences = Host(_at.PromptScratch, tiles), unsortedQueries = Host(_at.PromptScratch + _at.PromptTileLimit, tiles);
            sequences[..tiles].CopyTo(unsortedSequences);
            queries[..tiles].CopyTo(unsortedQueries);
            keys[..tiles].Sort();
            for (int i = 0; i < tiles; i++)
            {
                int from = (int)(-keys[i] & 0xffffffff);
                sequences[i] = unsortedSequences[from];
                queries[i] = unsortedQueries[from];
            }
        }
    }

    private int AngleRowsAt(int kind) => _at.AngleRows + (kind * (MaxTokens + MaxSequences));

    private nint Address(int offset) => _buffer.Address + ((nint)offset * sizeof(int));

    private Span<int> Host(int offset, int count) => _current.Span<int>((long)offset * sizeof(int), count);

    /// <summary>Where each array begins, in integers, each on a 256-byte line.</summary>
    private sealed class Offsets
    {
        private int _end;

        public Offsets(int tokens, int sequences, int rows, int windows, int promptTile, bool bySequence, int angleKinds)
        {
            PromptTileLimit = (tokens / promptTile) + sequences + 1;
            TableStride = Take(1);
            DecodeCount = Take(1);
            QueryStarts = Take(sequences + 1);
            Contexts = Take(sequences);
            DecodeSequences = Take(sequences);
            TileStarts = Take(windows * (sequences + 1));
            FeedbackTargets = Take(sequences);
            FeedbackSources = Take(sequences);
            LogitRows = Take(rows);
            Settings = Take(rows * (SampleSetting.Bytes / sizeof(int)));
            PromptSequences = Take(PromptTileLimit);
            PromptQueries = Take(PromptTileLimit);
            PromptKeys = Take(PromptTileLimit * 2);
            PromptScratch = Take(PromptTileLimit * 2);
            TokenIds = Take(tokens + sequences);
            Positions = Take(tokens + sequences);
            Slots = Take(tokens + sequences);
            Sequences = Take(bySequence ? tokens + sequences : 0);
            AngleRows = Take(angleKinds * (tokens + sequences));
            Tables = Take(0);
        }

        public int PromptTileLimit { get; }

        public int TableStride { get; }

        public int DecodeCount { get; }

        public int QueryStarts { get; }

        public int Contexts { get; }

        public int DecodeSequences { get; }

        public int TileStarts { get; }

        public int FeedbackTargets { get; }

        public int FeedbackSources { get; }

        public int LogitRows { get; }

        public int Settings { get; }

        public int PromptSequences { get; }

        public int PromptQueries { get; }

        public int PromptKeys { get; }

        public int PromptScratch { get; }

        public int TokenIds { get; }

        public int Positions { get; }

        public int Slots { get; }

        public int Sequences { get; }

        public int AngleRows { get; }

        public int Tables { get; }

        private int Take(int count)
        {
            int start = _end;
            _end = (start + count + 63) & ~63;
            return start;
        }
    }
}
