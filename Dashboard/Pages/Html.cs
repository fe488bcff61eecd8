using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;

namespace Fastgen.Dashboard.Pages;

/// <summary>Markup that is safe to send: what is put into it by interpolation is encoded, unless it is markup itself.</summary>
internal readonly struct Html
{
    private readonly string? _markup;

    private Html(string markup) => _markup = markup;

    public static Html Empty => default;

    /// <summary>Markup from an interpolated string; its literal parts are taken as they are.</summary>
    public static Html Of(Builder builder) => new(builder.ToString());

    /// <summary>One after the other.</summary>
    public static Html Join(IEnumerable<Html> parts) => new(string.Concat(parts.Select(part => part.ToString())));

    public override string ToString() => _markup ?? "";

    /// <summary>Builds markup from the parts of an interpolated string.</summary>
    [InterpolatedStringHandler]
    public readonly ref struct Builder
    {
        private readonly StringBuilder _text;

        public Builder(int literalLength, int formattedCount) => _text = new StringBuilder(literalLength + (16 * formattedCount));

        public void AppendLiteral(string value) => _text.Append(value);

        public void AppendFormatted(Html value) => _text.Append(value.ToString());

        public void AppendFormatted(string? value) => _text.Append(HtmlEncoder.Default.Encode(value ?? ""));

        public void AppendFormatted<T>(T value)
            where T : IFormattable
            => AppendFormatted(value, null);

        public void AppendFormatted<T>(T value, string? format)
            where T : IFormattable
            => AppendFormatted(value.ToString(format, CultureInfo.InvariantCulture));

        public override string ToString() => _text.ToString();
    }
}
