using System.Diagnostics;
using System.Globalization;
using System.Text;
using Fastgen.Engine;
using Fastgen.Engine.Sampling;
using Fastgen.Tools.CommandLine;

namespace Fastgen.Tools.FgChat;

/// <summary>Reads lines, answers them, until the input ends.</summary>
internal sealed class ChatSession(LlmEngine engine, SamplingParameters sampling, string? system, bool verbose)
{
    private const string Help = """
          Available commands:
            /r N   -- reset the conversation to before round N
            /m     -- input a message of several lines; end it with a
                      single line containing '.'
            /help  -- show this
            /q     -- quit (as Ctrl-D does; Ctrl-C interrupts an answer)
        """;

    private readonly Conversation _conversation = new(system);

    /// <summary>Someone types: prompts and the greeting are for them, not for a script.</summary>
    private readonly bool _interactive = !Console.IsInputRedirected;

    /// <returns>The process's exit code.</returns>
    public async Task<int> RunAsync()
    {
        using var interrupts = new Interrupts(_interactive, () => Console.Write($"\n(Ctrl-C again or /q quits)\n{Prompt()}"));
        if (_interactive)
        {
            Console.WriteLine(TerminalOutput.Green("Ready to chat!"));
            Console.WriteLine(Help);
            Console.WriteLine("\n---");
        }

        while (ReadLine(Prompt(), interrupts) is { } text)
        {
            ChatLine line = ChatLine.Parse(text);
            switch (line.Kind)
            {
                case ChatLineKind.Quit:
                    return 0;
                case ChatLineKind.Help:
                    Console.WriteLine(Help);
                    break;
                case ChatLineKind.Reset:
                    Reset(line);
                    break;
                case ChatLineKind.Unknown:
                    Console.WriteLine($"There is no command {line.Text}; /help lists those there are.");
                    break;
                case ChatLineKind.MultiLine:
                    await AnswerAsync(ReadLines(interrupts), interrupts);
                    break;
                case ChatLineKind.Message:
                    await AnswerAsync(line.Text, interrupts);
                    break;
            }
        }

        if (_interactive)
        {
            Console.WriteLine("^D");
        }

        return 0;
    }

    private string Prompt() => string.Create(CultureInfo.InvariantCulture, $"{_conversation.NextRound}> ");

    private string? ReadLine(string prompt, Interrupts interrupts)
    {
        if (_interactive)
        {
            Console.Write(prompt);
        }

        string? line = Console.ReadLine();
        interrupts.LineRead();
        return line;
    }

    private string ReadLines(Interrupts interrupts)
    {
        var lines = new List<string>();
        string prompt = Prompt().Replace("> ", ">> ", StringComparison.Ordinal);
        while (ReadLine(prompt, interrupts) is { } line && line.Trim() != ".")
        {
            lines.Add(line);
        }

        return string.Join('\n', lines);
    }

    private void Reset(ChatLine line)
    {
        if (!_conversation.TryReset(line.Round))
        {
            Console.WriteLine($"'/r {line.Text}' names no round; it must be a number from 1 to {_conversation.NextRound}.");
        }
    }

    private async Task AnswerAsync(string question, Interrupts interrupts)
    {
        if (string.IsNullOrWhiteSpace(question))
        {
            return;
        }

        var answer = new StringBuilder();
        int tokens = 0;
        string remark = "";
        long start = Stopwatch.GetTimestamp();
        CancellationToken interrupted = interrupts.BeginAnswer();
        try
        {
            await foreach (EngineDelta delta in engine.StreamAsync(_conversation.Ask(question) with { Sampling = sampling }, interrupted))
            {
                tokens += delta.TokenIds.Count;
                answer.Append(delta.Text);
                Write(delta.Text);
                remark = delta.FinishReason switch
                {
                    EngineFinishReason.Length => " the limit of tokens is reached",
                    EngineFinishReason.Error => " " + delta.Error,
                    EngineFinishReason.Cancelled => " cancelled",
                    _ => remark,
                };
            }
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            remark = " interrupted";
        }
        catch (Exception e) when (e is EngineRequestException or EngineFaultedException)
        {
            Console.WriteLine(verbose ? e.ToString() : e.Message);
            return;
        }
        finally
        {
            interrupts.EndAnswer();
        }

        _conversation.Add(question, answer.ToString());
        double rate = tokens / Math.Max(Stopwatch.GetElapsedTime(start).TotalSeconds, 1e-6);
        Console.WriteLine();
        Console.WriteLine(TerminalOutput.Dim(string.Create(CultureInfo.InvariantCulture, $"--- [{tokens} tokens, {rate:F1} toks/s]{remark}")));
    }

    private static void Write(string text)
    {
        if (text.Length == 0)
        {
            return;
        }

        // What a model writes must not steer the terminal.
        Console.Out.Write(TerminalOutput.OutIsTerminal ? TerminalOutput.WithoutControlCodes(text) : text);
        Console.Out.Flush();
    }
}
