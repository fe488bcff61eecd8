using System.Globalization;
using System.Text;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>datetime.strftime in the C locale, with glibc's flags (%-d, %_d, %0d, %^a) and extensions.</summary>
internal static class Strftime
{
    public static string Format(DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 >= format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            int start = i++;
            char flag = '\0';
            while (i + 1 < format.Length && format[i] is '-' or '_' or '0' or '^' or '#')
            {
                flag = format[i++];
            }

            string? field = Field(time, format[i], flag);
            text.Append(field ?? format[start..(i + 1)]);
        }

        return text.ToString();
    }

    private static string? Field(DateTimeOffset time, char directive, char flag)
    {
        int hour12 = time.Hour % 12 == 0 ? 12 : time.Hour % 12;
        int week = ISOWeek.GetWeekOfYear(time.DateTime);
        string? name = directive switch
        {
            'a' => time.ToString("ddd", CultureInfo.InvariantCulture),
            'A' => time.ToString("dddd", CultureInfo.InvariantCulture),
            'b' or 'h' => time.ToString("MMM", CultureInfo.InvariantCulture),
            'B' => time.ToString("MMMM", CultureInfo.InvariantCulture),
            'p' => time.Hour < 12 ? "AM" : "PM",
            'P' => time.Hour < 12 ? "am" : "pm",
            'c' => Format(time, "%a %b %e %H:%M:%S %Y"),
            'x' or 'D' => Format(time, "%m/%d/%y"),
            'X' or 'T' => Format(time, "%H:%M:%S"),
            'R' => Format(time, "%H:%M"),
            'r' => Format(time, "%I:%M:%S %p"),
            'F' => Format(time, "%Y-%m-%d"),
            // The reference's clock has no time zone.
            'z' or 'Z' or ':' => "",
            'n' => "\n",
            't' => "\t",
            '%' => "%",
            _ => null,
        };
        if (name is not null)
        {
            return (flag, directive) switch
            {
                ('^' or '#', 'P') or ('#', 'c') => name,
                ('#', 'p') => name.ToLowerInvariant(),
                ('^' or '#', _) => name.ToUpperInvariant(),
                _ => name,
            };
        }

        return directive switch
        {
            'd' => Pad(time.Day, 2, '0', flag),
            'e' => Pad(time.Day, 2, ' ', flag),
            'm' => Pad(time.Month, 2, '0', flag),
            'y' => Pad(time.Year % 100, 2, '0', flag),
            'Y' => Pad(time.Year, 1, '0', flag),
            'C' => Pad(time.Year / 100, 2, '0', flag),
            'H' => Pad(time.Hour, 2, '0', flag),
            'k' => Pad(time.Hour, 2, ' ', flag),
            'I' => Pad(hour12, 2, '0', flag),
            'l' => Pad(hour12, 2, ' ', flag),
            'M' => Pad(time.Minute, 2, '0', flag),
            'S' => Pad(time.Second, 2, '0', flag),
            'f' => Pad((int)(time.Ticks % TimeSpan.TicksPerSecond / 10), 6, '0', '\0'),
            'j' => Pad(time.DayOfYear, 3, '0', flag),
            'w' => Pad((int)time.DayOfWeek, 1, '0', flag),
            'u' => Pad(time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek, 1, '0', flag),
            'U' => Pad((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7, 2, '0', flag),
            'W' => Pad((time.DayOfYear + 6 - (((int)time.DayOfWeek + 6) % 7)) / 7, 2, '0', flag),
            'V' => Pad(week, 2, '0', flag),
            'G' => Pad(ISOWeek.GetYear(time.DateTime), 1, '0', flag),
            'g' => Pad(ISOWeek.GetYear(time.DateTime) % 100, 2, '0', flag),
            's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            _ => null,
        };
    }

    private static string Pad(int value, int width, char fill, char flag)
    {
        string digits = value.ToString(CultureInfo.InvariantCulture);
        return flag == '-' ? digits : digits.PadLeft(width, flag switch { '_' => ' ', '0' => '0', _ => fill });
    }
}
