using Fastgen.Engine.KvCache;

namespace Fastgen.Engine.Scheduling;

/// <summary>Decides what each step computes. There is no prefill phase and no decode phase: every sequence has computed
/// tokens and a length, and a step spends its token budget on bringing sequences forward.</summary>
/// <remarks>Sequences that lack one token go first (unless <see cref="EngineOptions.PromptsFirst"/>), then longer chunks of those that run, then the waiting ones, each in
/// order of priority and arrival. When blocks run out the last in that order is preempted: it gives its blocks back and
/// later computes its prompt and output anew. Steps run in the order of their plans; up to two may be in flight.
/// Not thread-safe: belongs to the engine loop.</remarks>
internal sealed partial class Scheduler
{
    private readonly SchedulerLimits _limits;
    private readonly BlockPool _pool;
    private readonly List<Sequence> _running = [];
    private readonly SortedSet<Sequence> _waiting = new(SequenceOrder.Instance);
    private readonly List<Sequence> _forked = [];
    private readonly int[] _freeSlots;
    private int _freeSlotCount;
    private long _nextNumber;
    private long _nextStep;
    private bool _someEnded;

    // A sequence was preempted in this plan because blocks ran out.
    private bool _lackedBlocks;

    // The waiting head did not fit when this many blocks were free: not tried again before there are more.
    private Sequence? _tooLarge;
    private int _tooLargeFreeBlocks;

    public Scheduler(SchedulerLimits limits, BlockPool pool)
    {
        _limits = limits;
        _pool = pool;
        _freeSlots = new int[limits.MaxRunningSequences];
        for (int i = 0; i < _freeSlots.Length; i++)
        {
            _freeSlots[i] = _freeSlots.Length - 1 - i;
        }

        _freeSlotCount = _freeSlots.Length;
    }

    public SchedulerCounters Counters { get; } = new();

    /// <summary>Sequences with blocks, those that ended while a step in flight still uses them included.</summary>
    public int RunningCount => _limits.MaxRunningSequences - _freeSlotCount;

    /// <summary>Sequences that wait for blocks or a slot, preempted ones included.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>Takes a request into the waiting queue.</summary>
    public void Add(ScheduledRequest request)
    {
        request.Number = _nextNumber++;
        foreach (Sequence sequence in request.Sequences)
        {
            if (sequence.ResumedEnd is { } end)
            {
                // Its last token had come, its end had not.
                End(sequence, end, null);
            }
            else if (sequence.Status == SequenceStatus.Waiting)
            {
                _waiting.Add(sequence);
            }
        }

        request.Output.Announce();
    }

    /// <summary>Ends all choices of a request that have not ended.</summary>
    public void Abort(ScheduledRequest request, EngineFinishReason reason, string? error)
    {
        foreach (Sequence sequence in request.Sequences)
        {
            End(sequence, reason, error);
        }

        RemoveEnded();
        request.Output.Announce();
    }

    /// <summary>Ends every request.</summary>
    public void AbortAll(EngineFinishReason reason, string? error)
    {
        while (_waiting.Min is { } waiting)
        {
            Abort(waiting.Request, reason, error);
        }

        while (_running.Count > 0)
        {
            Abort(_running[^1].Request, reason, error);
        }
    }

    /// <summary>Plans the next step.</summary>
    /// <returns>False when there is nothing to compute before a step in flight is collected or a request arrives.</returns>
    public bool Plan(StepPlan plan)
    {
        plan.Clear();
        _lackedBlocks = false;
        bool promptsAlone = _limits.PromptsFirst && PlanPrompts(plan);
        if (!promptsAlone && PlanDecodes(plan))
        {
            PlanChunks(plan);
            // Who was just preempted for its blocks would come back at once and be preempted again.
            if (!_lackedBlocks || _running.Count == 0)
            {
                Admit(plan);
            }
        }

        foreach (Sequence sequence in _forked)
        {
            Insert(sequence);
        }

        _forked.Clear();
        if (plan.IsEmpty)
        {
            return false;
        }

        plan.StepNumber = _nextStep++;
        Counters.Steps++;
        Counters.ComputedTokens += plan.TokenCount;
        return true;
    }

    /// <summary>Sequences that lack one token, in order; blocks are taken one by one as they grow.</summary>
    /// <returns>False when blocks ran out and the one who must give some up has a step in flight: nobody else is planned
    /// then, so that it can be preempted once that step is collected.</returns>
    private bool PlanDecodes(StepPlan plan)
    {
        for (int i = 0; i < _running.Count && plan.TokenCount < _limits.MaxStepTokens; i++)
        {
            Sequence sequence = _running[i];
            if (sequence.Length - sequence.ComputedTokens != 1 || sequence.OutputTokens >= sequence.Request.MaxOutputTokens)
            {
                continue;
            }

            if (_limits.Regime(sequence.Length) != _limits.Regime(sequence.RegimeLength))
            {
                if (sequence.StepsInFlight == 0)
                {
                    // Its blocks are of no use any more, so it comes back by admission like any other.
                    Preempt(i--);
                }

                continue;
            }

            if (!MakeNextSlotWritable(plan, sequence))
            {
                return sequence.Status == SequenceStatus.Waiting;
            }

            AddChunk(plan, sequence, 1);
        }

        return true;
    }

    /// <summary>For <see cref="EngineOptions.PromptsFirst"/>: the step's tokens go to prompts alone, should there be any.</summary>
    /// <returns>Whether there was a prompt to compute.</returns>
    private bool PlanPrompts(StepPlan plan)
    {
        PlanChunks(plan, lastTokens: true);
        Admit(plan);
        return !plan.IsEmpty;
    }

    /// <param name="lastTokens">Also prompts that lack a single token, which otherwise go with the sequences that do.</param>
    private void PlanChunks(StepPlan plan, bool lastTokens = false)
    {
        for (int i = 0; i < _running.Count && plan.TokenCount < _limits.MaxStepTokens; i++)
        {
            Sequence sequence = _running[i];
            int missing = sequence.Length - sequence.ComputedTokens;
            if (missing > 1 || (lastTokens && missing == 1 && sequence.OutputTokens == 0))
            {
                AddChunk(plan, sequence, ChunkSize(plan, sequence));
            }
        }
    }

    private void Admit(StepPlan plan)
    {
        while (plan.TokenCount < _limits.MaxStepTokens && _waiting.Min is { } sequence && TryAdmit(sequence))
        {
            AddChunk(plan, sequence, ChunkSize(plan, sequence));
        }
    }

    private int ChunkSize(StepPlan plan, Sequence sequence) => Math.Min(
        sequence.Length - sequence.ComputedTokens,
        Math.Min(_limits.MaxStepTokens - plan.TokenCount, _limits.MaxPromptChunkTokens));

    private void AddChunk(StepPlan plan, Sequence sequence, int count)
    {
        int? previousRow = sequence.PendingTokens > 0 ? sequence.PendingRow : null;
        plan.Chunks.Add(new PlannedChunk(sequence, sequence.ComputedTokens, count, previousRow));
        plan.TokenCount += count;
        sequence.ComputedTokens += count;
        sequence.StepsInFlight++;
        if (sequence.ComputedTokens < sequence.Length)
        {
            return;
        }

        AddRow(plan, sequence);
        ScheduledRequest request = sequence.Request;
        if (!request.IsForked)
        {
            request.IsForked = true;
            for (int i = 1; i < request.Sequences.Length; i++)
            {
                Sequence choice = request.Sequences[i];
                if (!choice.HasEnded)
                {
                    choice.ForkFrom(sequence, _pool);
                    choice.StepsInFlight++;
                    AddRow(plan, choice);
                    // Joins those that run after this plan: its next token is not there to be computed yet.
                    _forked.Add(choice);
                }
            }
        }
    }

    private static void AddRow(StepPlan plan, Sequence sequence)
    {
        sequence.PendingRow = plan.Rows.Count;
        plan.Rows.Add(new PlannedRow(sequence, plan.Chunks.Count - 1, sequence.OutputTokens, sequence.SlotIsNew));
        sequence.SlotIsNew = false;
        sequence.PendingTokens++;
    }

    private void Insert(Sequence sequence)
    {
        int index = _running.BinarySearch(sequence, SequenceOrder.Instance);
        _running.Insert(~index, sequence);
    }

    private void RemoveEnded()
    {
        if (_someEnded)
        {
            _running.RemoveAll(static sequence => sequence.HasEnded);
            _someEnded = false;
        }
    }
}
