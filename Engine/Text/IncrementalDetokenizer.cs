using Fastgen.Engine.Text.Decoders;

namespace Fastgen.Engine.Text;

/// <summary>Turns token ids into text one by one, in constant time each; never hands on half a character. For one sequence and one thread.</summary>
/// <remarks>
/// All that it hands on, put together, equals <see cref="Tokenizer.Decode"/> of the same ids. One exception: in a row of byte-fallback
/// tokens that is not UTF-8 as a whole, Decode makes every byte U+FFFD, while here the characters that were whole before stay.
/// </remarks>
public sealed class IncrementalDetokenizer
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly TextSink _sink;
    private readonly DecoderStage _stage;
    private bool _finished;

    /// <param name="tokenizer">Whose ids come.</param>
    /// <param name="skipSpecialTokens">Whether to leave special tokens out.</param>
    /// <param name="promptTail">
    /// The last ids before the first one that comes, so that text continues it: with them a leading space stays that begins a text
    /// otherwise loses. Their own text is not handed on, but for a character that the prompt left incomplete.
    /// </param>
    public IncrementalDetokenizer(Tokenizer tokenizer, bool skipSpecialTokens, ReadOnlySpan<int> promptTail)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _sink = tokenizer.OpenDecoder(eager: true, out _stage);
        foreach (var id in promptTail)
        {
            Append(id);
        }
    }

    /// <summary>Takes an id; returns the text that is certain now, perhaps none.</summary>
    /// <exception cref="InvalidOperationException">After <see cref="Flush"/>.</exception>
    public string Append(int id)
    {
        if (_finished)
        {
            throw new InvalidOperationException("Append after Flush: the text has ended; create a detokenizer for each sequence.");
        }

        if (_tokenizer.TextOf(id, _skipSpecialTokens) is { } token)
        {
            _stage.Push(token, begins: true);
        }

        return _sink.Take();
    }

    /// <summary>Ends the text; returns what was held, with U+FFFD where bytes never became a character.</summary>
    public string Flush()
    {
        if (!_finished)
        {
            _finished = true;
            _stage.Finish();
        }

        return _sink.Take();
    }
}
