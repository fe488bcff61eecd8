namespace Fastgen.Contracts;

/// <summary>Token counts of a request.</summary>
/// <param name="PromptTokens">Tokens of the prompt, counted once whatever the number of choices.</param>
/// <param name="CompletionTokens">Tokens generated over all choices.</param>
/// <param name="CachedTokens">Prompt tokens whose keys and values were already there.</param>
public sealed record GenerationUsage(int PromptTokens, int CompletionTokens, int CachedTokens);
