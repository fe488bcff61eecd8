using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Scheduling;

/// <content>What happens when a step is collected: tokens are appended, sequences end, blocks go back.</content>
internal sealed partial class Scheduler
{
    /// <summary>Takes in the tokens of the oldest step in flight.</summary>
    public void Commit(StepPlan plan, StepOutput output)
    {
        for (int row = 0; row < plan.Rows.Count; row++)
        {
            if (output.NotFinite[row])
            {
                Taint(plan.Chunks[plan.Rows[row].Chunk].Sequence);
                Taint(plan.Rows[row].Sequence);
            }
        }

        foreach (PlannedChunk chunk in plan.Chunks)
        {
            Sequence sequence = chunk.Sequence;
            sequence.StepsInFlight--;
            Publish(sequence, chunk.Start + chunk.Count);
        }

        for (int row = 0; row < plan.Rows.Count; row++)
        {
            PlannedRow planned = plan.Rows[row];
            Sequence sequence = planned.Sequence;
            if (sequence != plan.Chunks[planned.Chunk].Sequence)
            {
                sequence.StepsInFlight--;
            }

            sequence.PendingTokens--;
            if (!sequence.HasEnded)
            {
                CommitToken(sequence, output, row);
            }
        }

        Settle(plan);
    }

    /// <summary>A step could not be run: everyone in it ends with an error, everyone else goes on.</summary>
    public void Fail(StepPlan plan, string error)
    {
        foreach (PlannedChunk chunk in plan.Chunks)
        {
            chunk.Sequence.StepsInFlight--;
        }

        foreach (PlannedRow row in plan.Rows)
        {
            if (row.Sequence != plan.Chunks[row.Chunk].Sequence)
            {
                row.Sequence.StepsInFlight--;
            }

            row.Sequence.PendingTokens--;
        }

        foreach (PlannedChunk chunk in plan.Chunks)
        {
            End(chunk.Sequence, EngineFinishReason.Error, error);
        }

        foreach (PlannedRow row in plan.Rows)
        {
            End(row.Sequence, EngineFinishReason.Error, error);
        }

        Settle(plan);
    }

    private void CommitToken(Sequence sequence, StepOutput output, int row)
    {
        ScheduledRequest request = sequence.Request;
        if (output.NotFinite[row])
        {
            End(sequence, EngineFinishReason.Error,
                $"The model's logits for output token {sequence.KnownTokens - sequence.PromptTokens} were not finite (NaN or infinity); check the checkpoint's weights.");
            return;
        }

        int token = output.TokenIds[row];
        sequence.Append(token);
        Counters.GeneratedTokens++;
        bool stopString;
        try
        {
            stopString = request.Output.AddToken(sequence.Choice, token, output, row);
        }
        catch (Exception exception)
        {
            // What one request's text trips over must not end the others'.
            End(sequence, EngineFinishReason.Error, $"The text of output token {token} could not be made: {exception.Message}");
            return;
        }

        if (stopString || request.StopTokenIds.AsSpan().Contains(token))
        {
            End(sequence, EngineFinishReason.Stop, null);
        }
        else if (sequence.KnownTokens - sequence.PromptTokens >= request.MaxOutputTokens)
        {
            End(sequence, EngineFinishReason.Length, null);
        }
    }

    private void End(Sequence sequence, EngineFinishReason reason, string? error)
    {
        if (sequence.HasEnded)
        {
            return;
        }

        ScheduledRequest request = sequence.Request;
        if (sequence.Status == SequenceStatus.Waiting)
        {
            _waiting.Remove(sequence);
        }

        sequence.Status = SequenceStatus.Ended;
        _someEnded = true;
        LeaveQueue(request);
        request.Output.End(sequence.Choice, reason, error);
        if (sequence.StepsInFlight == 0)
        {
            Release(sequence);
        }

        if (!request.IsForked)
        {
            // Nobody is left who could compute the prompt for the other choices.
            foreach (Sequence choice in request.Sequences)
            {
                End(choice, reason, error);
            }
        }
    }

    /// <summary>Gives back what ended sequences held, then lets the readers know what came.</summary>
    private void Settle(StepPlan plan)
    {
        foreach (PlannedChunk chunk in plan.Chunks)
        {
            if (chunk.Sequence.HasEnded && chunk.Sequence.StepsInFlight == 0)
            {
                Release(chunk.Sequence);
            }
        }

        foreach (PlannedRow row in plan.Rows)
        {
            if (row.Sequence.HasEnded && row.Sequence.StepsInFlight == 0)
            {
                Release(row.Sequence);
            }
        }

        RemoveEnded();
        foreach (PlannedChunk chunk in plan.Chunks)
        {
            chunk.Sequence.Request.Output.Announce();
        }

        foreach (PlannedRow row in plan.Rows)
        {
            row.Sequence.Request.Output.Announce();
        }
    }

    private void Taint(Sequence sequence)
    {
        if (!sequence.IsTainted)
        {
            sequence.IsTainted = true;
            foreach (int block in sequence.Blocks.Blocks)
            {
                _pool.Unpublish(block);
            }
        }
    }
}
