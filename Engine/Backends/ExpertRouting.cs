namespace Fastgen.Engine.Backends;

/// <summary>How a mixture of experts chooses the experts of a token and weighs what they give.</summary>
/// <remarks>Shazeer et al. 2017 (top-k), DeepSeek-AI 2024 (V2: groups; V3: sigmoid scores and a bias that only chooses). Of equal
/// scores the expert of the lower number is chosen; a score that is not a number is chosen last.</remarks>
internal sealed record ExpertRouting
{
    /// <summary>Most experts of a layer: beyond every published model.</summary>
    public const int MaxExperts = 4096;

    public required int ExpertCount { get; init; }

    /// <summary>Experts that a token goes to.</summary>
    public required int ChosenCount { get; init; }

    public required ExpertScoring Scoring { get; init; }

    /// <summary>Groups of consecutive experts; 1 where all may be chosen.</summary>
    public int GroupCount { get; init; } = 1;

    /// <summary>Groups that a token may choose from.</summary>
    public int ChosenGroupCount { get; init; } = 1;

    public ExpertGroupScoring GroupScoring { get; init; }

    /// <summary>The weights of the chosen experts are divided by their sum.</summary>
    public bool Normalize { get; init; }

    /// <summary>Factor on the weights.</summary>
    public float Scale { get; init; } = 1;

    public int ExpertsPerGroup => ExpertCount / GroupCount;

    /// <summary>What is wrong with these counts, naming value and limit; null where nothing is.</summary>
    public string? Problem
    {
        get
        {
            if (ExpertCount is < 1 or > MaxExperts)
            {
                return $"{ExpertCount:N0} experts; supported: 1 to {MaxExperts:N0}";
            }

            if (GroupCount < 1 || ExpertCount % GroupCount != 0)
            {
                return $"{GroupCount} groups, which do not divide {ExpertCount} experts";
            }

            if (ChosenGroupCount < 1 || ChosenGroupCount > GroupCount)
            {
                return $"{ChosenGroupCount} chosen groups of {GroupCount}; expected 1 to {GroupCount}";
            }

            if (GroupCount > 1 && GroupScoring == ExpertGroupScoring.SumOfBestTwo && ExpertsPerGroup < 2)
            {
                return $"{ExpertsPerGroup} expert in a group; groups are scored by their best two, so expected 2 or more";
            }

            var choice = ChosenGroupCount * ExpertsPerGroup;
            return ChosenCount < 1 || ChosenCount > choice ? $"{ChosenCount} chosen experts of {choice} to choose from; expected 1 to {choice}" : null;
        }
    }
}
