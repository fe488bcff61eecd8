using System.Diagnostics;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.UnitTests.Text.Templates;

/// <summary>Hostile templates end with an error, soon, and never by overflowing the stack.</summary>
public sealed class ChatTemplateLimitTests
{
    [Theory]
    [InlineData("{{ range(100001) | list }}")]
    [InlineData("{{ 'x' * 1000000000 }}")]
    [InlineData("{{ [0] * 1000000000 }}")]
    [InlineData("{{ 10 ** 10000000 }}")]
    [InlineData("{{ '%1000000000d' % 1 }}")]
    [InlineData("{{ '{:1000000000}'.format(1) }}")]
    [InlineData("{{ 'x'.center(1000000000) }}")]
    [InlineData("{{ 'a' | indent(1000000000, true) }}")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")]
    [InlineData("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    [InlineData("{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}")]
    [InlineData("{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}")]
    [InlineData("{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}")]
    [InlineData("{% set ns = namespace(l=[1]) %}{% for i in range(90000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}")]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")]
    [InlineData("{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}")]
    public void Ends_with_an_error(string source)
    {
        long start = Stopwatch.GetTimestamp();
        ChatTemplate template = ChatTemplate.Parse(source);
        Assert.Throws<ChatTemplateException>(() => template.Render(ChatTemplateTests.Input()));

        // Ten seconds is the engine's own limit; the rest is for a busy machine.
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(25));
    }

    [Theory]
    [InlineData("{{ ", "(", "1", ")", " }}")]
    [InlineData("{{ ", "[", "1", "]", " }}")]
    [InlineData("{{ ", "not ", "1", "", " }}")]
    [InlineData("{{ ", "-", "1", "", " }}")]
    [InlineData("{{ ", "1 + ", "1", "", " }}")]
    [InlineData("{{ ", "1 if 1 else ", "1", "", " }}")]
    [InlineData("{{ a", "", "", ".a", " }}")]
    [InlineData("", "{% if 1 %}", "x", "{% endif %}", "")]
    [InlineData("{% set ", "(", "a", ")", " = 1 %}")]
    public void Deep_nesting_is_refused_while_parsing(string start, string open, string middle, string close, string end)
    {
        string source = start + string.Concat(Enumerable.Repeat(open, 20_000)) + middle + string.Concat(Enumerable.Repeat(close, 20_000)) + end;
        Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(source));
    }

    [Fact]
    public void Limits_hold_on_a_small_stack()
    {
        Exception? error = null;
        var thread = new Thread(
            () => error = Record.Exception(() => ChatTemplate.Parse("{% macro f() %}{{ [f()] }}{% endmacro %}{{ f() }}").Render(ChatTemplateTests.Input())),
            maxStackSize: 256 * 1024);
        thread.Start();
        thread.Join();
        Assert.IsType<ChatTemplateException>(error);
    }

    [Fact]
    public void Output_limit_names_its_value()
    {
        var limits = new RenderLimits { MaxTextChars = 100 };
        ChatTemplate template = ChatTemplate.Parse("{% for i in range(200) %}x{% endfor %}");
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => template.Render(ChatTemplateTests.Input(), limits));
        Assert.Contains("100 characters", error.Reason, StringComparison.Ordinal);
    }
}
