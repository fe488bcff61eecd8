using System.Text;
using System.Text.Json;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.UnitTests.Fuzzing;

/// <summary>Damaged chat templates are refused or stopped by a <see cref="ChatTemplateException"/>, or render.</summary>
public sealed class TemplateFuzzTests
{
    private const string Chat = """
        {%- set ns = namespace(system='', found=false) -%}
        {%- if messages[0]['role'] == 'system' %}{% set ns.system = messages[0]['content'] | trim %}{% set messages = messages[1:] %}{% endif -%}
        {{ bos_token }}{% if tools is not none and tools %}{{ '[TOOLS]' ~ (tools | tojson(indent=2)) }}{% endif %}
        {%- for message in messages %}
            {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
            {%- if message.content is string %}<|{{ message.role }}|>{{ message.content.strip() }}{{ eos_token if loop.last else '' }}
            {%- else %}{% for part in message.content if part.type == 'text' %}{{ part['text'] | upper | replace('A', 'b') }}{% endfor %}{% endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
        """;

    private const string Language = """
        {% macro f(x, y=2) %}{{ x * y }}{{ caller() if caller else '' }}{% endmacro %}
        {% call f(3) %}inner{% endcall %}{% set block %}text{% endset %}{{ block | length }}
        {% for k, v in {'a': 1, 'b': [1, 2, 3]}.items() recursive %}{{ k }}={{ v | string | center(10) }}{% if loop.first %}{% continue %}{% endif %}{% else %}none{% endfor %}
        {{ '%s and %05.2f' | format('x', 3.14159) }} {{ "{:>8}".format('z') }} {{ range(10) | batch(3) | list }} {{ [3, 1, 2] | sort | join(',') }}
        {{ 'a b c'.split() | map('upper') | list }} {{ (1, 2) + (3,) }} {{ 7 // 2 ** 3 % 5 }} {{ 'x' in 'xyz' and not none }} {{ {'a': 'ä'} | tojson }}
        {% filter upper %}shout{% endfilter %}{% raw %}{{ not this }}{% endraw %}{# comment #}{{ strftime_now('%Y') }}{{ 'abc'[::-1] }}{{ missing is defined }}
        """;

    private static readonly string[] Dictionary =
    [
        "{{", "}}", "{%", "%}", "{%-", "-%}", "{#", "#}", "{% for a in range(99999999) %}", "{% endfor %}", "{% if x %}", "{% endif %}", " * 99999999", "**99999", "'a' * ", " | ", "|join", "|tojson", "|format(", ".format(",
        "{% macro g() %}{{ g() }}{% endmacro %}{{ g() }}", "not ", " is ", "(", ")", "[", "]", "1e400", "'%999999999d' % 1", "'{:999999999}'.format(1)", "range(1,0,0)", "|batch(0)", "|slice(0)", "|indent(99999999)", "|center(99999999)", "namespace(", "loop.cycle(", ".__class__", "|attr('x')", "messages",
    ];

    // A tenth of what real templates may use, so that endless ones end soon.
    private static readonly RenderLimits Limits = new() { MaxTextChars = 1 << 20, MaxTotalChars = 8 << 20, MaxSteps = 500_000 };

    [Fact]
    public void Templates()
    {
        using var messages = JsonDocument.Parse("""[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"a"}]},{"role":"user","content":" ok "}]""");
        using var tools = JsonDocument.Parse("""[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"number"}}}}}]""");
        var input = new ChatTemplateInput
        {
            Messages = messages.RootElement,
            Tools = tools.RootElement,
            AddGenerationPrompt = true,
            BosToken = "<s>",
            EosToken = "</s>",
            Now = new DateTimeOffset(2026, 11, 20, 12, 0, 0, TimeSpan.Zero),
        };
        FuzzRun.Over(
            "chat template",
            6000,
            [Encoding.UTF8.GetBytes(Chat), Encoding.UTF8.GetBytes(Language)],
            Dictionary,
            bytes => _ = ChatTemplate.Parse(Encoding.UTF8.GetString(bytes)).Render(input, Limits),
            error => error is ChatTemplateException);
    }
}
