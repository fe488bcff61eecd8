using System.Globalization;
using System.Text;

namespace Fastgen.Services.Tests.Fleet;

/// <summary>Bodies of chat completions.</summary>
internal static class ChatBody
{
    /// <summary>Tokens of all choices of <see cref="Long"/>.</summary>
    public const int LongTokens = LongChoices * LongChoiceTokens;

    private const int LongChoices = 64;
    private const int LongChoiceTokens = 1900;

    /// <summary>An answer that no processor finishes while a test looks at it; it has to be ended.</summary>
    public static StringContent Long(bool stream = false) => Of(LongChoiceTokens, LongChoices, stream);

    /// <param name="maxTokens">So many it gets.</param>
    public static StringContent Of(int maxTokens, int choices = 1, bool stream = false, string model = TestFleet.Model) => new(
        string.Create(CultureInfo.InvariantCulture, $$"""{"model":"{{model}}","messages":[{"role":"user","content":"Hello!"}],"ignore_eos":true,"max_tokens":{{maxTokens}},"n":{{choices}},"stream":{{(stream ? "true" : "false")}},"stream_options":{{(stream ? """{"include_usage":true}""" : "null")}}}"""),
        Encoding.UTF8,
        "application/json");
}
