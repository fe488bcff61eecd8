namespace Fastgen.OpenAI.Requests;

/// <summary>Which of the two generating endpoints.</summary>
internal enum ApiKind
{
    /// <summary><c>POST /v1/chat/completions</c>.</summary>
    Chat,

    /// <summary><c>POST /v1/completions</c>.</summary>
    Completion,
}
