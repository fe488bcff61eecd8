using System.Globalization;
using System.Text;
using Fastgen.Engine;
using Fastgen.Engine.Text;

namespace Fastgen.Serving;

/// <summary>Gives log probabilities the text and bytes of their tokens. Each token is decoded once.</summary>
/// <param name="tokenizer">Null where the engine has none; tokens are then shown as <c>token_id:7</c>, as vLLM does.</param>
internal sealed class TokenTexts(Tokenizer? tokenizer)
{
    private readonly TokenText?[] _known = new TokenText?[tokenizer?.VocabularySize ?? 0];

    private sealed record TokenText(string Text, byte[] Bytes);

    public Contracts.TokenLogprob[] Describe(IReadOnlyList<TokenLogprobs> tokens)
    {
        var described = new Contracts.TokenLogprob[tokens.Count];
        for (int i = 0; i < described.Length; i++)
        {
            TokenLogprobs token = tokens[i];
            var top = new Contracts.TokenLogprob[token.Top.Count];
            for (int k = 0; k < top.Length; k++)
            {
                top[k] = Describe(token.Top[k].TokenId, token.Top[k].Logprob, null);
            }

            described[i] = Describe(token.TokenId, token.Logprob, top);
        }

        return described;
    }

    private Contracts.TokenLogprob Describe(int id, float logprob, IReadOnlyList<Contracts.TokenLogprob>? top)
    {
        TokenText text = TextOf(id);
        return new Contracts.TokenLogprob(id, text.Text, text.Bytes, logprob, top);
    }

    private TokenText TextOf(int id)
    {
        if (tokenizer is null)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"token_id:{id}");
            return new TokenText(name, Encoding.UTF8.GetBytes(name));
        }

        // Models often have more rows than their tokenizer has tokens.
        if ((uint)id >= (uint)_known.Length)
        {
            return new TokenText("", []);
        }

        // Two threads may both decode a token; they come to the same text.
        return _known[id] ??= Decode(id);

        TokenText Decode(int token)
        {
            byte[] bytes = tokenizer.TokenBytes(token);
            return new TokenText(Encoding.UTF8.GetString(bytes), bytes);
        }
    }
}
