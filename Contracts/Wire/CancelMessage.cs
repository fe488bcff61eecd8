using System.Globalization;
using System.Text;

namespace Fastgen.Contracts.Wire;

/// <summary>Names a request that nobody waits for any more.</summary>
/// <param name="GatewayId">The gateway that had submitted it.</param>
/// <param name="Ticket">The gateway's number for it.</param>
public readonly record struct CancelMessage(string GatewayId, long Ticket)
{
    /// <summary>As it is published.</summary>
    public string Format() => string.Create(CultureInfo.InvariantCulture, $"{Ticket} {GatewayId}");

    /// <summary>Reads what <see cref="Format"/> wrote.</summary>
    /// <returns>False for anything else.</returns>
    public static bool TryParse(ReadOnlySpan<byte> utf8, out CancelMessage message)
    {
        int space = utf8.IndexOf((byte)' ');
        if (space > 0 && long.TryParse(utf8[..space], NumberStyles.None, CultureInfo.InvariantCulture, out long ticket))
        {
            message = new CancelMessage(Encoding.UTF8.GetString(utf8[(space + 1)..]), ticket);
            return true;
        }

        message = default;
        return false;
    }
}
