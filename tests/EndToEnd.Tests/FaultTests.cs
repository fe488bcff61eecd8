using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Fastgen.Contracts;

namespace Fastgen.EndToEnd.Tests;

/// <summary>Workers and Redis die in the middle of streams.</summary>
public sealed class FaultTests
{
    private const int Streams = 16;
    private const int MaxTokens = 600;

    // Text of some tens of tokens. Events cannot be counted in its place: one carries the tokens of as many steps as there were.
    private const int MiddleCharacters = 60;

    // The demo model's special tokens. They have no text, and past its end the model says little else: a lost one would not show.
    private static readonly Dictionary<string, int> TextOnly = new() { ["0"] = -100, ["1"] = -100, ["2"] = -100 };

    [Fact]
    public async Task A_killed_worker_loses_no_token_and_repeats_none()
    {
        await using Stack stack = await Stack.StartAsync();
        string[] undisturbed = await RunAsync(stack, 0, null);

        // A kill may come when a worker has just finished all it had, and then shows nothing: another is killed.
        for (int attempt = 0; await ResubmittedAsync(stack) == 0; attempt++)
        {
            Assert.True(attempt < 10, "No other worker went on with anything after ten kills in the middle of streams.");
            using var middle = new CountdownEvent(Streams);
            Task<string[]> disturbed = RunAsync(stack, 0, middle);
            await AllBegunAsync(middle, disturbed);
            using (Process victim = await BusiestWorkerAsync(stack))
            {
                victim.Kill();
            }

            Assert.Equal(undisturbed, await disturbed);
            await stack.AssertNothingIsHeldAsync(workers: 1);
            await stack.WaitForGatewayStatusAsync();
        }
    }

    [Fact]
    public async Task Streams_go_on_when_a_worker_is_told_to_stop()
    {
        await using Stack stack = await Stack.StartAsync();
        string[] undisturbed = await RunAsync(stack, 100, null);
        using var middle = new CountdownEvent(Streams);
        Task<string[]> disturbed = RunAsync(stack, 100, middle);
        await AllBegunAsync(middle, disturbed);
        using Process victim = await BusiestWorkerAsync(stack);
        using (Process terminate = Process.Start("kill", ["-TERM", $"{victim.Id}"]))
        {
            await terminate.WaitForExitAsync();
        }

        Assert.Equal(undisturbed, await disturbed);
        await stack.AssertNothingIsHeldAsync(workers: 1);
    }

    [Fact]
    public async Task The_stack_recovers_when_Redis_is_killed_and_comes_back_empty()
    {
        await using Stack stack = await Stack.StartAsync();
        string[] undisturbed = await RunAsync(stack, 200, null);
        using var middle = new CountdownEvent(Streams);
        Task<string[]> disturbed = RunAsync(stack, 200, middle);
        await AllBegunAsync(middle, disturbed);
        int redis = (int)RedisProcessId(await stack.Redis.InfoAsync("server"));
        Process.GetProcessById(redis).Kill();

        // The gateway submits anew what was lost, so that callers notice a pause only.
        Assert.Equal(undisturbed, await disturbed.WaitAsync(2 * Stack.StartLimit));
        Assert.Equal(undisturbed, await RunAsync(stack, 200, null));
        await stack.AssertNothingIsHeldAsync();
    }

    /// <summary>Waits until every stream is in its middle or has ended, or until one has failed, which then is what the test says.</summary>
    private static async Task AllBegunAsync(CountdownEvent middle, Task<string[]> streams)
    {
        var watch = Stopwatch.StartNew();
        while (!middle.IsSet && !streams.IsFaulted)
        {
            Assert.True(watch.Elapsed < Stack.StartLimit, $"{middle.CurrentCount} of {Streams} streams did not come to their middle.");
            await Task.Delay(5);
        }

        if (streams.IsFaulted)
        {
            await streams;
        }
    }

    /// <summary>The process of the living worker that last said it had the most requests; the status of a killed one outlives it for some seconds.</summary>
    private static async Task<Process> BusiestWorkerAsync(Stack stack)
    {
        foreach (WorkerStatus worker in (await stack.WorkersAsync()).OrderByDescending(worker => worker.Requests))
        {
            try
            {
                return Process.GetProcessById(worker.ProcessId);
            }
            catch (ArgumentException)
            {
                // Dead: the next one.
            }
        }

        throw new InvalidOperationException("No worker is alive.");
    }

    private static long RedisProcessId(string info) =>
        long.Parse(info.Split("process_id:")[1].Split('\r', '\n')[0], System.Globalization.CultureInfo.InvariantCulture);

    private static async Task<long> ResubmittedAsync(Stack stack) =>
        (await stack.GatewaysAsync()).Sum(gateway => gateway.ResubmittedRequests);

    /// <summary>Sixteen streams, most of them greedy and some sampled in two choices with penalties; each counts down once: when it has come to its middle, or else when it ends.</summary>
    private static Task<string[]> RunAsync(Stack stack, int seed, CountdownEvent? middle) =>
        Task.WhenAll(Enumerable.Range(seed, Streams).Select(index => StreamAsync(stack, index, middle)));

    private static async Task<string> StreamAsync(Stack stack, int index, CountdownEvent? middle)
    {
        int characters = 0;
        using var http = new HttpClient { BaseAddress = stack.GatewayUrl, Timeout = TimeSpan.FromMinutes(5) };
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions")
        {
            Content = JsonContent.Create(new
            {
                model = Stack.Model,
                stream = true,
                stream_options = new { include_usage = true },
                ignore_eos = true,
                logit_bias = TextOnly,
                temperature = index % 4 == 3 ? 0.9 : 0,
                seed = index,
                n = Choices(index),
                frequency_penalty = index % 4 == 3 ? 0.4 : 0,
                max_tokens = MaxTokens,
                messages = new[] { new { role = "user", content = $"Write a haiku, number {index}." } },
            }),
        };
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        StringBuilder[] texts = [.. Enumerable.Range(0, Choices(index)).Select(_ => new StringBuilder())];
        int tokens = -1;
        while (await reader.ReadLineAsync() is { } line)
        {
            if (!line.StartsWith("data: {", StringComparison.Ordinal))
            {
                continue;
            }

            JsonNode chunk = JsonNode.Parse(line[6..])!;
            Assert.True(chunk["error"] is null, line);
            if (chunk["choices"]?.AsArray().FirstOrDefault() is { } choice)
            {
                string text = (string?)choice["delta"]?["content"] ?? "";
                texts[(int)choice["index"]!].Append(text);
                if (characters < MiddleCharacters && (characters += text.Length) >= MiddleCharacters)
                {
                    middle?.Signal();
                }
            }

            tokens = (int?)chunk["usage"]?["completion_tokens"] ?? tokens;
        }

        if (characters < MiddleCharacters)
        {
            middle?.Signal();
        }

        Assert.Equal(MaxTokens * Choices(index), tokens);
        return string.Join('\0', texts.Select(text => text.ToString()));
    }

    private static int Choices(int index) => index % 4 == 3 ? 2 : 1;
}
