using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Fastgen.Engine.UnitTests.Fuzzing;

namespace Fastgen.Services.Tests.OpenAI;

/// <summary>Damaged JSON bodies get an answer or OpenAI's error body with a 4xx, in bounded time.</summary>
/// <remarks>FASTGEN_FUZZ_CASES and FASTGEN_FUZZ_SEED as in the engine's fuzz tests.</remarks>
public sealed class RequestFuzzTests(ApiServer server) : IClassFixture<ApiServer>
{
    private static readonly string[] Seeds =
    [
        """{"model":null,"messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"3"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"temperature":0.5,"top_p":0.9,"n":2,"max_tokens":4,"stop":["a","b"],"logprobs":true,"top_logprobs":3,"seed":7,"logit_bias":{"5":1.5}}""",
        """{"messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":3,"presence_penalty":-1,"frequency_penalty":1,"user":"u","chat_template_kwargs":{"enable_thinking":false}}""",
        """{"prompt":["a","b"],"max_tokens":3,"echo":true,"n":1,"stop":"x","logprobs":null}""",
        """{"prompt":[[1,2,3],[4]],"max_tokens":2,"min_tokens":1,"top_k":5,"min_p":0.1,"repetition_penalty":1.1,"ignore_eos":true,"stop_token_ids":[2]}""",
    ];

    private static readonly string[] Dictionary =
        ["\"messages\":[", "\"role\":\"user\"", "\"content\":", "\"stream\":true", "\"n\":", "\"stop\":[", "\"tools\":[{", "\"logit_bias\":{", "\"response_format\":{\"type\":", "\"\\ud83d\"", "1e400", "[[[[", "{\"a\":"];

    [Fact]
    public async Task Damaged_bodies_are_answered()
    {
        int cases = Variable("FASTGEN_FUZZ_CASES", 400);
        int refused = 0;
        for (int i = 0; i < cases; i++)
        {
            int seed = Variable("FASTGEN_FUZZ_SEED", 20261120) + i;
            var random = new Random(seed);
            int which = random.Next(Seeds.Length);
            byte[] body = new ByteMutator(random, Dictionary).Mutate(Encoding.UTF8.GetBytes(Seeds[which]));
            long start = Stopwatch.GetTimestamp();
            using HttpResponseMessage response = await server.PostAsync(which < 2 ? "/v1/chat/completions" : "/v1/completions", body);
            string answer = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

            int status = (int)response.StatusCode;
            string place = $"FASTGEN_FUZZ_SEED={seed} FASTGEN_FUZZ_CASES=1: {status} {answer[..Math.Min(answer.Length, 300)]} for {Convert.ToBase64String(body)}";
            Assert.True(status == 200 || status is >= 400 and < 500, place);
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30), place);
            if (status != 200)
            {
                refused++;
                JsonElement error = JsonDocument.Parse(answer).RootElement.GetProperty("error");
                Assert.True(error.GetProperty("message").GetString()!.Length > 10, place);
            }
        }

        Assert.True(cases < 100 || refused > cases / 4, $"only {refused} of {cases} damaged bodies were refused");
    }

    private static int Variable(string name, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : usual;
}
