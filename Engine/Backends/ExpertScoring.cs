namespace Fastgen.Engine.Backends;

/// <summary>How the logits of a router become the scores by which experts are chosen and weighted.</summary>
internal enum ExpertScoring
{
    /// <summary>Softmax over all experts.</summary>
    Softmax,

    /// <summary>Each logit's own sigmoid.</summary>
    Sigmoid,

    /// <summary>The logits choose; the weights are a softmax over those chosen.</summary>
    SoftmaxOfChosen,
}
