using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Fastgen.Services.Tests.Redis;

/// <summary>
/// A server for answers that a real one cannot be made to give. It greets properly, then answers each command by the
/// next of the lines it was given (the last one for ever); an empty line means that it says nothing.
/// </summary>
internal sealed class ScriptedServer(params string[] answers) : LoopbackListener
{
    private const string Greeting = "%1\r\n+server\r\n+redis\r\n";

    private int _next;

    /// <summary>What the server says to HELLO.</summary>
    public string Hello { get; init; } = Greeting;

    /// <summary>Commands answered so far, greetings apart.</summary>
    public int Answered => Volatile.Read(ref _next);

    protected override async Task ServeAsync(TcpClient client)
    {
        NetworkStream stream = client.GetStream();
        using var reader = new StreamReader(stream, Encoding.Latin1);
        while (await reader.ReadLineAsync(Stopped) is string header)
        {
            int words = int.Parse(header[1..], CultureInfo.InvariantCulture);
            string name = "";
            for (int i = 0; i < words; i++)
            {
                await reader.ReadLineAsync(Stopped);
                string word = (await reader.ReadLineAsync(Stopped))!;
                name = i == 0 ? word : name;
            }

            string answer = name == "HELLO" ? Hello : answers[Math.Min(Interlocked.Increment(ref _next) - 1, answers.Length - 1)];
            await stream.WriteAsync(Encoding.Latin1.GetBytes(answer), Stopped);
        }
    }
}
