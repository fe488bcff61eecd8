namespace Fastgen.Engine.Model.Inspection;

/// <summary>Something that keeps a model, or a part of it, from working.</summary>
/// <param name="Part">What it concerns: folder, config, weights, tokenizer, template.</param>
/// <param name="Message">What is wrong, and what helps.</param>
/// <param name="IsUnsupported">The file is well-formed, but asks for what is not supported.</param>
public sealed record InspectionProblem(string Part, string Message, bool IsUnsupported);
