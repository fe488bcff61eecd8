using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Nodes;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>The variable "self": the template's blocks by name.</summary>
internal sealed class TemplateReference(RenderState state) : Value
{
    public override string TypeName => "TemplateReference";

    public override bool TryGetItem(Value key, [NotNullWhen(true)] out Value? value)
    {
        value = key is StrValue name && state.Blocks.TryGetValue(name.Text, out BlockStatement? block)
            ? new BuiltinFunction(name.Text, (_, _) => Render(block), "BlockReference")
            : null;
        return value is not null;
    }

    public override void WriteRepr(TextBuffer output) => output.Append("<TemplateReference None>");

    private StrValue Render(BlockStatement block)
    {
        var output = new TextBuffer();
        block.Render(state, state.Root, output);
        return new StrValue(output.ToString(), state.AutoEscape);
    }
}
