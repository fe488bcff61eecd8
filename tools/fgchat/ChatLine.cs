using System.Globalization;

namespace Fastgen.Tools.FgChat;

/// <summary>What a line of input asks for.</summary>
internal readonly record struct ChatLine(ChatLineKind Kind, string Text, int Round)
{
    /// <summary>Commands are a slash and letters; anything else, such as a path, is said to the model.</summary>
    public static ChatLine Parse(string line)
    {
        string text = line.Trim();
        if (text.Length == 0)
        {
            return new ChatLine(ChatLineKind.Empty, text, 0);
        }

        string[] words = text.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries);
        string rest = words.Length > 1 ? words[1].Trim() : "";
        switch (words[0])
        {
            case "/q" or "/quit" or "/exit":
                return new ChatLine(ChatLineKind.Quit, rest, 0);
            case "/m":
                return new ChatLine(ChatLineKind.MultiLine, rest, 0);
            case "/help" or "/h" or "/?":
                return new ChatLine(ChatLineKind.Help, rest, 0);
            case "/r":
                bool isNumber = int.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out int round);
                return new ChatLine(ChatLineKind.Reset, rest, isNumber ? round : 0);
            default:
                bool isCommand = words[0].Length > 1 && words[0][0] == '/' && words[0].AsSpan(1).IndexOfAnyExceptInRange('a', 'z') < 0;
                return new ChatLine(isCommand ? ChatLineKind.Unknown : ChatLineKind.Message, isCommand ? words[0] : text, 0);
        }
    }
}
