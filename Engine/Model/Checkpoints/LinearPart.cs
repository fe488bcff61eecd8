namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>One of the matrices [outputs, inputs] that a fused linear layer stacks along its outputs.</summary>
internal readonly record struct LinearPart(ExpectedTensor Weight, ExpectedTensor? Bias);
