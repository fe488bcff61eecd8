using Fastgen.Engine.KvCache;

namespace Fastgen.Engine.Scheduling;

/// <content>Admission, growth and preemption: everything that takes or returns blocks and slots.</content>
internal sealed partial class Scheduler
{
    /// <summary>Gives a waiting sequence its slots and the blocks of all its tokens.</summary>
    /// <remarks>All at once although chunks come later: prompts that start together could otherwise block each other
    /// half-way. One block per running sequence stays in reserve, so that those admitted now are not preempted at once.</remarks>
    private bool TryAdmit(Sequence sequence)
    {
        ScheduledRequest request = sequence.Request;
        int slots = request.IsForked ? 1 : request.Sequences.Length;
        if (slots > _freeSlotCount)
        {
            return false;
        }

        if (sequence == _tooLarge && _running.Count > 0 && _pool.FreeCount <= _tooLargeFreeBlocks)
        {
            return false;
        }

        sequence.RegimeLength = sequence.Length;
        int cachedBlocks = TakeCachedBlocks(sequence);
        int needed = BlocksFor(sequence.Length) - cachedBlocks;
        int reserve = Math.Min(_running.Count, _pool.Count / 8);
        if (_pool.FreeCount < needed + reserve)
        {
            sequence.Reset(_pool);
            _tooLarge = sequence;
            _tooLargeFreeBlocks = _pool.FreeCount;
            return false;
        }

        _tooLarge = null;
        for (int i = 0; i < needed; i++)
        {
            _pool.TryAllocate(out int block);
            sequence.Blocks.Add(block);
        }

        int cachedTokens = cachedBlocks * _limits.BlockSize;
        sequence.ComputedTokens = cachedTokens;
        Counters.CachedTokens += cachedTokens;
        if (!request.LeftQueue)
        {
            request.CachedTokens = Math.Min(cachedTokens, request.Prompt.Length);
            LeaveQueue(request);
        }

        TakeSlot(sequence);
        if (!request.IsForked)
        {
            for (int i = 1; i < request.Sequences.Length; i++)
            {
                if (!request.Sequences[i].HasEnded)
                {
                    TakeSlot(request.Sequences[i]);
                }
            }
        }

        _waiting.Remove(sequence);
        sequence.Status = SequenceStatus.Running;
        Insert(sequence);
        return true;
    }

    /// <summary>Finds published blocks for the beginning of a sequence. At least one token is left to compute: its logits are needed.</summary>
    private int TakeCachedBlocks(Sequence sequence)
    {
        if (!_limits.PrefixCache)
        {
            return 0;
        }

        int most = (sequence.Length - 1) / _limits.BlockSize;
        while (sequence.PublishedBlocks < most)
        {
            UInt128 hash = NextHash(sequence);
            if (!_pool.TryFind(hash, out int block))
            {
                break;
            }

            _pool.AddReference(block);
            sequence.Blocks.Add(block);
            sequence.PublishedBlocks++;
            sequence.PublishedHash = hash;
        }

        return sequence.PublishedBlocks;
    }

    /// <summary>Makes sure that the slot of the next token lies in a block of this sequence alone.</summary>
    /// <returns>False when the sequence cannot run in this step: it was itself preempted, or waits for a step in flight of the one who must be.</returns>
    private bool MakeNextSlotWritable(StepPlan plan, Sequence sequence)
    {
        int index = sequence.ComputedTokens / _limits.BlockSize;
        while (true)
        {
            // Preempting another choice of the same request may have left this one alone with the block: so each round looks again.
            if (index < sequence.Blocks.Count && _pool.References(sequence.Blocks[index]) == 1)
            {
                return true;
            }

            if (_pool.TryAllocate(out int block))
            {
                if (index == sequence.Blocks.Count)
                {
                    sequence.Blocks.Add(block);
                }
                else
                {
                    int shared = sequence.Blocks[index];
                    plan.BlockCopies.Add((shared, block));
                    _pool.Release(shared);
                    sequence.Blocks[index] = block;
                    Counters.CopiedBlocks++;
                }

                return true;
            }

            // Plans go through the list from its head, so the last has not been planned in this step unless it is this one.
            Sequence victim = _running[^1];
            if (victim.StepsInFlight > 0)
            {
                // Its token is on the way; once that is here it can go.
                return false;
            }

            Preempt(_running.Count - 1);
            _lackedBlocks = true;
            if (victim == sequence)
            {
                return false;
            }
        }
    }

    /// <summary>Takes a running sequence's blocks and slots; it waits to be computed anew.</summary>
    private void Preempt(int index)
    {
        Sequence victim = _running[index];
        _running.RemoveAt(index);
        victim.Reset(_pool);
        ReturnSlot(victim);
        ScheduledRequest request = victim.Request;
        if (!request.IsForked)
        {
            for (int i = 1; i < request.Sequences.Length; i++)
            {
                if (!request.Sequences[i].HasEnded)
                {
                    ReturnSlot(request.Sequences[i]);
                }
            }
        }

        victim.Status = SequenceStatus.Waiting;
        _waiting.Add(victim);
        Counters.Preemptions++;
    }

    private void TakeSlot(Sequence sequence)
    {
        sequence.Slot = _freeSlots[--_freeSlotCount];
        sequence.SlotIsNew = true;
        sequence.HasSlot = true;
    }

    private void ReturnSlot(Sequence sequence)
    {
        if (sequence.HasSlot)
        {
            sequence.HasSlot = false;
            _freeSlots[_freeSlotCount++] = sequence.Slot;
        }
    }

    private void Release(Sequence sequence)
    {
        sequence.Reset(_pool);
        ReturnSlot(sequence);
    }

    /// <summary>Offers the blocks that a collected step has filled to the prefix cache.</summary>
    private void Publish(Sequence sequence, int committedTokens)
    {
        if (!_limits.PrefixCache || sequence.IsTainted || sequence.HasEnded)
        {
            return;
        }

        int full = committedTokens / _limits.BlockSize;
        while (sequence.PublishedBlocks < full)
        {
            UInt128 hash = NextHash(sequence);
            _pool.Publish(sequence.Blocks[sequence.PublishedBlocks], hash);
            sequence.PublishedBlocks++;
            sequence.PublishedHash = hash;
        }
    }

    /// <summary>The hash of the first block of a sequence that is neither found nor published yet.</summary>
    private UInt128 NextHash(Sequence sequence)
    {
        int block = sequence.PublishedBlocks;
        int regime = _limits.Regime(sequence.RegimeLength);
        UInt128[] known = sequence.Request.PromptHashes;
        if (regime == 0 && block < known.Length)
        {
            return known[block];
        }

        // The same tokens have other keys in another regime, so its chain begins with another number.
        UInt128 previous = block == 0 ? (UInt128)regime : sequence.PublishedHash;
        return BlockHash.Next(previous, sequence.Tokens.Span.Slice(block * _limits.BlockSize, _limits.BlockSize));
    }

    private int BlocksFor(int tokens) => (tokens + _limits.BlockSize - 1) / _limits.BlockSize;

    private void LeaveQueue(ScheduledRequest request)
    {
        if (!request.LeftQueue)
        {
            request.LeftQueue = true;
            if (request.CountsAsWaiting)
            {
                Counters.LeftQueue++;
            }
        }
    }
}
