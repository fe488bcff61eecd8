using System.Buffers;
using System.Text;
using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.OpenAI.Requests;
using Fastgen.OpenAI.Responses;

namespace Fastgen.Services.Tests.OpenAI;

public sealed class ChunkWriterTests
{
    private static ApiRequest Request(ApiKind kind = ApiKind.Chat) => new(
        kind,
        "chatcmpl-1",
        1_700_000_000,
        "a \"quoted\" model",
        [new GenerationRequest { Id = "1", Model = "m" }],
        1,
        Stream: true,
        IncludeUsage: false,
        Echo: null);

    [Fact]
    public void Any_text_survives_as_a_JSON_string()
    {
        var random = new Random(1);
        var buffer = new ArrayBufferWriter<byte>();
        string[] pieces = ["\"", "\\", "\n", "\0", "\u001f", "\u007f", "\u2028", "é", "日本語", "🙂", "plain text ", new string('x', 700), new string('語', 500)];
        for (int round = 0; round < 300; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => pieces[random.Next(pieces.Length)]));
            buffer.ResetWrittenCount();
            new ChunkWriter(Request()).WriteDelta(buffer, new GenerationEvent { Text = text });

            string line = Encoding.UTF8.GetString(buffer.WrittenSpan);
            JsonElement chunk = JsonDocument.Parse(line["data: ".Length..]).RootElement;
            Assert.Equal(text, chunk.GetProperty("choices")[0].GetProperty("delta").GetProperty("content").GetString());
            Assert.Equal("a \"quoted\" model", chunk.GetProperty("model").GetString());
        }
    }

    [Fact]
    public void Half_a_surrogate_pair_becomes_the_replacement_character()
    {
        var buffer = new ArrayBufferWriter<byte>();
        new ChunkWriter(Request()).WriteDelta(buffer, new GenerationEvent { Text = "a\ud83d\"b\udc00" });

        Assert.Contains("a\ufffd\\\"b\ufffd\"", Encoding.UTF8.GetString(buffer.WrittenSpan), StringComparison.Ordinal);
    }

    [Fact]
    public void Text_and_end_in_one_event_make_one_chunk()
    {
        var buffer = new ArrayBufferWriter<byte>();
        new ChunkWriter(Request(ApiKind.Completion)).WriteDelta(buffer, new GenerationEvent { Text = "z", FinishReason = FinishReason.Length });

        Assert.EndsWith(
            ""","choices":[{"index":0,"text":"z","logprobs":null,"finish_reason":"length"}]}""" + "\n\n",
            Encoding.UTF8.GetString(buffer.WrittenSpan),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Chunks_allocate_nothing()
    {
        var buffer = new ArrayBufferWriter<byte>(1 << 20);
        var writer = new ChunkWriter(Request());
        var news = new GenerationEvent { Text = " tok\"en" };
        writer.WriteDelta(buffer, news);
        long least = long.MaxValue;
        // The runtime's own caches grow now and then on whatever thread, hence the best of some rounds.
        for (int round = 0; round < 10 && least > 0; round++)
        {
            buffer.ResetWrittenCount();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                writer.WriteDelta(buffer, news);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }
}
