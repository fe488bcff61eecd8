using System.Text.Json;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.UnitTests.Text.Templates;

/// <summary>The template language, each expectation taken from Jinja's or Python's documentation or worked out by hand.</summary>
public sealed class ChatTemplateTests
{
    private const string Chat = """[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]""";

    [Theory]
    [InlineData("{% for m in messages %}{{ m.role }}:{{ m['content'] }};{% endfor %}", "user:Hi;assistant:Hello;")]
    [InlineData("A\n  {% if true %}\n  B\n  {% endif %}\nC", "A\n  B\nC")]
    [InlineData("a {{- 1 -}} b", "a1b")]
    [InlineData("{% raw %}{{ x }}{% endraw %}", "{{ x }}")]
    [InlineData("{% for i in range(3) %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}", "1/3,2/3,3/3")]
    [InlineData("{% for i in [] %}x{% else %}none{% endfor %}", "none")]
    [InlineData("{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "013")]
    [InlineData("{% set ns = namespace(n=0) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "6")]
    [InlineData("{% set x = 1 %}{% for i in range(3) %}{% set x = 5 %}{% endfor %}{{ x }}", "1")]
    [InlineData("{% macro f(a, b='z') %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, b=2) }}", "1z12")]
    [InlineData("{% macro f() %}<{{ caller('q') }}>{% endmacro %}{% call(x) f() %}{{ x }}!{% endcall %}", "<q!>")]
    [InlineData("{% set b %}x{{ 1 }}{% endset %}{{ b | upper }}", "X1")]
    [InlineData("{% generation %}kept{% endgeneration %}", "kept")]
    [InlineData("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "3False")]
    [InlineData("{% filter upper %}abc{% endfilter %}", "ABC")]
    public void Statements(string source, string expected) => Assert.Equal(expected, Render(source));

    [Theory]
    [InlineData("{{ 7 // -2 }} {{ 7 % -2 }} {{ 7 / 2 }} {{ 2 ** 70 }}", "-4 -1 3.5 1180591620717411303424")]
    [InlineData("{{ 1e16 }} {{ 0.0001 }} {{ 1e-5 }} {{ 100.0 }} {{ 2.675 | round(2) }}", "1e+16 0.0001 1e-05 100.0 2.67")]
    [InlineData("{{ [1, 'a', none, true, 2.0, (1,), {'k': 'v'}] }}", "[1, 'a', None, True, 2.0, (1,), {'k': 'v'}]")]
    [InlineData("{{ 1 < 2 < 3 }} {{ 1 == 1.0 }} {{ 'a' in {'a': 1} }} {{ [] or 'x' }} {{ 0 and 1 }}", "True True True x 0")]
    [InlineData("{{ 'abc'[::-1] }} {{ [1,2,3][-2:] }} {{ '😀b'[1] }} {{ '😀' | length }}", "cba [2, 3] b 1")]
    [InlineData("{{ missing }}|{{ missing is defined }}|{{ messages[9] }}|{{ missing | default('d') }}", "|False||d")]
    [InlineData("{{ {'b': 1, 'a': [1, 'é', none, true]} | tojson }}", """{"b": 1, "a": [1, "é", null, true]}""")]
    [InlineData("{{ {'a': [1]} | tojson(indent=2) }}", "{\n  \"a\": [\n    1\n  ]\n}")]
    [InlineData("{{ '%05.1f|%-4s|%x' % (3.14159, 'ab', 255) }} {{ '{:>5,}|{x!r}'.format(1234, x='q') }}", "003.1|ab  |ff 1,234|'q'")]
    [InlineData("{{ messages | map(attribute='role') | join(',') }} {{ messages | selectattr('role', 'eq', 'user') | list | length }}", "user,assistant 1")]
    [InlineData("{{ ' a b '.strip().split() }} {{ 'a-b'.partition('-') }} {{ 'straße'.upper() }}", "['a', 'b'] ('a', '-', 'b') STRASSE")]
    [InlineData("{{ strftime_now('%d %b %Y %H:%M') }}", "26 Jul 2024 13:05")]
    [InlineData("{{ bos_token }}{{ custom.x[0] }}", "<s>7")]
    public void Expressions(string source, string expected) => Assert.Equal(expected, Render(source));

    [Theory]
    [InlineData("{{ raise_exception('no roles') }}", "TemplateError", "no roles")]
    [InlineData("{{ missing.x }}", "UndefinedError", "'missing' is undefined")]
    [InlineData("{{ messages.append(1) }}", "SecurityError", "access to attribute 'append' of 'list' object is unsafe.")]
    [InlineData("{{ 'a' + 1 }}", "TypeError", "can only concatenate str (not \"int\") to str")]
    [InlineData("\n\n{{ 1 + }}", "TemplateSyntaxError", "unexpected 'end of print statement'")]
    [InlineData("{{ 1 | nosuch }}", "TemplateSyntaxError", "No filter named 'nosuch'.")]
    [InlineData("{% break %}", "TemplateSyntaxError", "'break' outside loop")]
    public void Errors_name_kind_and_reason(string source, string kind, string reason)
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => Render(source));
        Assert.Equal(kind, error.Kind);
        Assert.Equal(reason, error.Reason);
    }

    [Fact]
    public void Error_names_the_line() =>
        Assert.Equal(3, Assert.Throws<ChatTemplateException>(() => Render("a\nb\n{{ missing.x }}\n")).Line);

    [Fact]
    public void One_template_renders_on_many_threads()
    {
        ChatTemplate template = ChatTemplate.Parse("{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t + m.content %}{% endfor %}{{ ns.t }}");
        ChatTemplateInput input = Input();
        string[] results = new string[64];
        Parallel.For(0, results.Length, i => results[i] = template.Render(input));
        Assert.All(results, text => Assert.Equal("HiHello", text));
    }

    [Theory]
    [InlineData("{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}", "<user>Hi</s><assistant>Hello")]
    [InlineData("{% for m in messages %}<{{ m.role }}> {{ m.content | trim }} </s>{% endfor %}", "<user> Hi </s><assistant> Hello")]
    public void Final_message_stays_open_when_it_is_to_be_continued(string source, string expected) =>
        Assert.Equal(expected, ChatTemplate.Parse(source).Render(Input() with { ContinueFinalMessage = true }));

    [Fact]
    public void Continuing_a_message_that_the_template_drops_is_an_error()
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(
            () => ChatTemplate.Parse("{{ messages[0].content }}").Render(Input() with { ContinueFinalMessage = true }));
        Assert.Contains("does not appear", error.Reason, StringComparison.Ordinal);
    }

    internal static ChatTemplateInput Input(string messages = Chat) => new()
    {
        Messages = JsonElement.Parse(messages),
        BosToken = "<s>",
        Extra = new Dictionary<string, JsonElement> { ["custom"] = JsonElement.Parse("""{"x":[7]}""") },
        Now = new DateTimeOffset(2024, 7, 26, 13, 5, 9, TimeSpan.Zero),
    };

    private static string Render(string source) => ChatTemplate.Parse(source).Render(Input());
}
