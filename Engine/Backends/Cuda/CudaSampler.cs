using System.Runtime.InteropServices;
using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Chooses tokens on the device and brings them to the host behind the next step's work.</summary>
/// <remarks>Penalties read the device's own record of a sequence's tokens, which is ahead of the host's by the step in flight.</remarks>
internal sealed unsafe class CudaSampler : IDisposable
{
    private const int Threads = 1024;
    private const int MostAlternatives = 20;
    private const int PenaltyRowsPerLaunch = 32;

    // More than the steps in flight and the one before them, so that no mark is taken anew before it was read.
    private const int Marks = 4;

    private readonly CudaDevice _device;
    private readonly CudaModule _module;
    private readonly CudaKernel _sample;
    private readonly CudaKernel _edit;
    private readonly CudaKernel _penalize;
    private readonly CudaKernel _append;
    private readonly int _vocabulary;
    private readonly int _maxRows;
    private readonly int _historyStride;
    private readonly int _maxSlots;
    private readonly DeviceBuffer _results;
    private readonly DeviceBuffer _alternatives;
    private readonly PendingStep[] _pending;
    private readonly List<LogitEdit> _edits = [];
    private readonly List<PenaltySetting> _penalties = [];
    private readonly List<HistoryEntry> _entries = [];
    private DeviceBuffer? _history;
    private DeviceBuffer? _counts;
    private DeviceBuffer? _raw;
    private DeviceBuffer? _lists;
    private readonly nint[] _began = new nint[Marks];
    private readonly nint[] _computed = new nint[Marks];
    private long _steps;
    private long _collected;
    private double _busyMs;
    private double _gapMs;
    private int _oldest;
    private int _inFlight;

    /// <param name="maxRows">Most sample rows of a step.</param>
    /// <param name="maxSlots">Slots that sequences may have.</param>
    /// <param name="maxContext">Most tokens of a sequence.</param>
    public CudaSampler(CudaDevice device, KernelCompiler compiler, int vocabulary, int maxRows, int maxSlots, int maxContext)
    {
        _device = device;
        _vocabulary = vocabulary;
        _maxRows = maxRows;
        _maxSlots = maxSlots;
        _historyStride = maxContext + 1;
        _module = new CudaModule(device, compiler.Compile("sampling.cu"));
        _sample = _module.Kernel("sample");
        _edit = _module.Kernel("edit_logits");
        _penalize = _module.Kernel("penalize");
        _append = _module.Kernel("append_history");
        _results = new DeviceBuffer(device, (long)maxRows * 3 * sizeof(int), "sampled tokens");
        _alternatives = new DeviceBuffer(device, (long)maxRows * MostAlternatives * 2 * sizeof(int), "logprobs");
        _pending = [new PendingStep(maxRows, MostAlternatives), new PendingStep(maxRows, MostAlternatives)];
        for (int i = 0; i < Marks; i++)
        {
            nint mark;
            Driver.EventCreate(&mark, 0).Check();
            _began[i] = mark;
            Driver.EventCreate(&mark, 0).Check();
            _computed[i] = mark;
        }
    }

    /// <summary>[rows] tokens that the last step chose, on the device.</summary>
    public nint Tokens => _results.Address;

    /// <summary>Busy and idle time of the device over the steps collected.</summary>
    public DeviceTimes Times => new(_busyMs, _gapMs);

    /// <summary>Marks the moment at which a step's arrays are there and its kernels begin.</summary>
    public void MarkBegin()
    {
        PendingStep pending = _pending[(_oldest + _inFlight) & 1];
        pending.FollowsClosely = _inFlight > 0;
        Driver.EventRecord(_began[_steps % Marks], _device.Stream).Check();
    }

    /// <summary>Queues the choice of a step's tokens and their way to the host.</summary>
    /// <param name="logits">[rows, vocabulary] float32.</param>
    public void Run(Batch batch, StepArena arena, nint logits)
    {
        int rows = batch.SampleRows.Count;
        PendingStep pending = _pending[(_oldest + _inFlight) & 1];
        if (_inFlight == _pending.Length)
        {
            throw new InvalidOperationException("Two steps are in flight already: Collect comes first.");
        }

        _inFlight++;
        pending.Begin(batch, _vocabulary);
        if (rows > 0)
        {
            if (batch.ReturnLogits)
            {
                fixed (float* destination = pending.Output.Logits)
                {
                    Driver.CopyToHostAsync(destination, logits, (nuint)rows * (nuint)_vocabulary * sizeof(float), _device.Stream).Check();
                }
            }

            nint raw = Prepare(batch, pending, logits);
            int top = pending.Output.TopCount;
            _sample.Launch(_device.Stream, rows, 1, Threads, Tokens, Logprobs, _alternatives.Address, TopLogprobs, NotFinite,
                logits, raw, arena.Settings, _vocabulary, top);
            if (_entries.Count > 0)
            {
                nint entries = Send(pending, CollectionsMarshal.AsSpan(_entries), ListPlace.Entries);
                _append.Launch(_device.Stream, (_entries.Count + 127) / 128, 1, 128, _history!.Address, Tokens, entries, _historyStride, _entries.Count);
            }

            Driver.EventRecord(_computed[_steps % Marks], _device.Stream).Check();
            Driver.CopyToHostAsync(pending.Results.Pointer, _results.Address, (nuint)(_maxRows * 2 + rows) * sizeof(int), _device.Stream).Check();
            if (top > 0)
            {
                Driver.CopyToHostAsync(pending.Alternatives.Pointer, _alternatives.Address, (nuint)(_maxRows * MostAlternatives * 2) * sizeof(int), _device.Stream).Check();
            }
        }

        else
        {
            Driver.EventRecord(_computed[_steps % Marks], _device.Stream).Check();
        }

        Driver.EventRecord(pending.Done, _device.Stream).Check();
        _steps++;
    }

    /// <summary>Waits for the oldest step.</summary>
    public StepOutput Collect()
    {
        if (_inFlight == 0)
        {
            throw new InvalidOperationException("No step is in flight: Submit comes before Collect.");
        }

        PendingStep pending = _pending[_oldest & 1];
        _oldest ^= 1;
        _inFlight--;
        Driver.EventSynchronize(pending.Done).Check();
        float milliseconds;
        if (_collected > 0 && pending.FollowsClosely)
        {
            Driver.EventElapsedTime(&milliseconds, _computed[(_collected - 1) % Marks], _began[_collected % Marks]).Check();
            _gapMs += milliseconds;
        }

        Driver.EventElapsedTime(&milliseconds, _began[_collected % Marks], _computed[_collected % Marks]).Check();
        _busyMs += milliseconds;
        _collected++;
        pending.Read(_maxRows, MostAlternatives);
        return pending.Output;
    }

    public void Dispose()
    {
        foreach (PendingStep pending in _pending)
        {
            pending.Dispose();
        }

        foreach (nint mark in _began.Concat(_computed))
        {
            Driver.EventDestroy(mark);
        }

        _results.Dispose();
        _alternatives.Dispose();
        _history?.Dispose();
        _counts?.Dispose();
        _raw?.Dispose();
        _lists?.Dispose();
        _module.Dispose();
    }

    private nint NotFinite => _results.Address + (nint)_maxRows * sizeof(int);

    private nint Logprobs => _results.Address + (nint)_maxRows * 2 * sizeof(int);

    private nint TopLogprobs => _alternatives.Address + (nint)_maxRows * MostAlternatives * sizeof(int);

    /// <summary>Applies bias, bans and penalties.</summary>
    /// <returns>Where the logits are as the model gave them.</returns>
    private nint Prepare(Batch batch, PendingStep pending, nint logits)
    {
        _edits.Clear();
        _penalties.Clear();
        _entries.Clear();
        bool logprobs = false;
        for (int i = 0; i < batch.SampleRows.Count; i++)
        {
            SampleRow row = batch.SampleRows[i];
            logprobs |= row.Parameters.Logprobs is not null;
            if (SampleSetting.Penalises(row.Parameters))
            {
                AddPenalty(row, i);
            }

            if (SampleSetting.Edits(row))
            {
                AddEdits(row, i);
            }
        }

        if (_edits.Count == 0 && _penalties.Count == 0)
        {
            return logits;
        }

        nint raw = logits;
        if (logprobs)
        {
            _raw ??= new DeviceBuffer(_device, (long)_maxRows * _vocabulary * sizeof(float), "a copy of the logits");
            Driver.CopyOnDeviceAsync(_raw.Address, logits, (nuint)batch.SampleRows.Count * (nuint)_vocabulary * sizeof(float), _device.Stream).Check();
            raw = _raw.Address;
        }

        if (_penalties.Count > 0)
        {
            nint settings = Send(pending, CollectionsMarshal.AsSpan(_penalties), ListPlace.Penalties);
            for (int start = 0; start < _penalties.Count; start += PenaltyRowsPerLaunch)
            {
                _penalize.Launch(_device.Stream, Math.Min(PenaltyRowsPerLaunch, _penalties.Count - start), 1, 256,
                    logits, _history!.Address, _counts!.Address, settings + (start * sizeof(PenaltySetting)), _vocabulary, _historyStride);
            }
        }

        if (_edits.Count > 0)
        {
            nint edits = Send(pending, CollectionsMarshal.AsSpan(_edits), ListPlace.Edits);
            _edit.Launch(_device.Stream, (_edits.Count + 127) / 128, 1, 128, logits, edits, _vocabulary, _edits.Count);
        }

        return raw;
    }

    private void AddEdits(SampleRow row, int index)
    {
        if (row.Parameters.LogitBias is { } bias)
        {
            foreach ((int token, float value) in bias)
            {
                _edits.Add(new LogitEdit(index, token, value));
            }
        }

        foreach (int token in row.BannedTokens.Span)
        {
            _edits.Add(new LogitEdit(index, token, float.NegativeInfinity));
        }
    }

    private void AddPenalty(SampleRow row, int index)
    {
        if (_history is null)
        {
            _history = new DeviceBuffer(_device, (long)_maxSlots * _historyStride * sizeof(int), "token histories for penalties");
            _counts = new DeviceBuffer(_device, (long)PenaltyRowsPerLaunch * _vocabulary * sizeof(int), "token counts for penalties");
            Driver.FillAsync(_counts.Address, 0, (nuint)_counts.Bytes, _device.Stream).Check();
        }

        if (row.SlotIsNew)
        {
            // A sequence is new to its slot once in its life or after a preemption: a plain copy will do.
            fixed (int* tokens = row.History.Span)
            {
                Driver.CopyToDeviceAsync(_history.Address + ((nint)row.SequenceSlot * _historyStride * sizeof(int)), tokens, (nuint)row.History.Length * sizeof(int), _device.Stream).Check();
            }
        }

        int total = row.PromptTokens + row.OutputPosition;
        _penalties.Add(new PenaltySetting(index, row.SequenceSlot, row.PromptTokens, total,
            row.Parameters.RepetitionPenalty, row.Parameters.PresencePenalty, row.Parameters.FrequencyPenalty, 0));
        _entries.Add(new HistoryEntry(row.SequenceSlot, total, index));
    }

    /// <summary>Brings a list to the device through the step's own page-locked memory.</summary>
    private nint Send<T>(PendingStep pending, Span<T> list, ListPlace place)
        where T : unmanaged
    {
        long bytes = (long)list.Length * sizeof(T);
        long area = pending.ListBytes / 3;
        if (bytes > area || _lists is null || _lists.Bytes < pending.ListBytes)
        {
            _device.Synchronize();
            long each = Math.Max(64 << 10, (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, area)));
            foreach (PendingStep p in _pending)
            {
                p.GrowLists(each * 3, (int)place, area, each);
            }

            DeviceBuffer grown = new(_device, each * 3, "logit edits");
            if (_lists is not null)
            {
                for (int i = 0; i < 3; i++)
                {
                    Driver.CopyOnDeviceAsync(grown.Address + (nint)(i * each), _lists.Address + (nint)(i * area), (nuint)Math.Min(area, each), _device.Stream).Check();
                }

                _device.Synchronize();
                _lists.Dispose();
            }

            _lists = grown;
            area = each;
        }

        long offset = (int)place * area;
        list.CopyTo(pending.Lists!.Span<T>(offset, list.Length));
        Driver.CopyToDeviceAsync(_lists.Address + (nint)offset, pending.Lists.Pointer + offset, (nuint)bytes, _device.Stream).Check();
        return _lists.Address + (nint)offset;
    }

    private enum ListPlace
    {
        Edits,
        Penalties,
        Entries,
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct LogitEdit(int Row, int Token, float Value);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct PenaltySetting(int Row, int Slot, int PromptTokens, int TotalTokens, float Repetition, float Presence, float Frequency, int Pad);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct HistoryEntry(int Slot, int Position, int Row);
}
