using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.Normalizers;

namespace Fastgen.Engine.Text.AddedTokens;

/// <summary>The added tokens of a tokenizer, with the ids that the reference gives them.</summary>
internal sealed class AddedVocabulary
{
    private readonly Dictionary<string, int> _idOf = new(StringComparer.Ordinal);
    private readonly Dictionary<int, AddedToken> _tokenOf = [];
    private readonly HashSet<string> _special = new(StringComparer.Ordinal);

    /// <remarks>
    /// A token that the model knows keeps the model's id; any other takes the next free one. Ids in a tokenizer.json
    /// are not asked, because the reference does not ask them either.
    /// </remarks>
    public AddedVocabulary(IReadOnlyList<AddedToken> tokens, Vocabulary vocabulary, Normalizer? normalizer)
    {
        var highest = -1;
        var kept = new List<AddedToken>();
        foreach (var token in tokens.Where(token => token.Content.Length > 0))
        {
            if (token.Special && _special.Add(token.Content))
            {
                kept.Add(token);
            }
        }

        foreach (var token in tokens.Where(token => token.Content.Length > 0))
        {
            if (!_idOf.TryGetValue(token.Content, out var id))
            {
                id = token.FixedId ?? vocabulary.IdOf(token.Content);
                if (id < 0)
                {
                    id = Math.Max(highest + 1, vocabulary.Count);
                }
            }
            else if (_tokenOf[id] == token)
            {
                continue;
            }

            highest = Math.Max(highest, id);
            _idOf[token.Content] = id;
            _tokenOf[id] = token;
            if (!_special.Contains(token.Content))
            {
                kept.Add(token);
            }
        }

        HighestId = highest;
        Raw = new AddedTokenMatcher(kept.Where(token => !token.Normalized).Select(token => Entry(token.Content, token)));
        Normalized = new AddedTokenMatcher(kept.Where(token => token.Normalized).Select(token => Entry(normalizer?.Normalize(token.Content) ?? token.Content, token)));
    }

    /// <summary>Highest id of an added token, or -1.</summary>
    public int HighestId { get; }

    /// <summary>Finds the tokens that are looked for in the text as it comes.</summary>
    public AddedTokenMatcher Raw { get; }

    /// <summary>Finds the tokens that are looked for in normalized text.</summary>
    public AddedTokenMatcher Normalized { get; }

    /// <summary>The id of an added token, or null.</summary>
    public int? IdOf(string token) => _idOf.TryGetValue(token, out var id) ? id : null;

    /// <summary>The added token of an id, or null.</summary>
    public string? TokenOf(int id) => _tokenOf.GetValueOrDefault(id)?.Content;

    /// <summary>Whether a token is special.</summary>
    public bool IsSpecial(string token) => _special.Contains(token);

    private (string Pattern, AddedToken Token, int Id) Entry(string pattern, AddedToken token)
    {
        var id = _idOf[token.Content];
        return (pattern, _tokenOf[id], id);
    }
}
