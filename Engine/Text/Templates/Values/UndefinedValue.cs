using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Nodes;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>What a missing name or attribute reads as: prints as nothing, counts as empty, and raises when looked into.</summary>
internal sealed class UndefinedValue(string message, ErrorKind kind = ErrorKind.Undefined) : Value
{
    public override string TypeName => "Undefined";

    public override bool IsTrue => false;

    public override bool IsCallable => true;

    public override bool IsIterable => true;

    public override int? Length => 0;

    public static UndefinedValue Name(string name) => new($"'{name}' is undefined");

    public static UndefinedValue Member(Value owner, Value key) => key is StrValue name
        ? new UndefinedValue($"'{Describe(owner)}' has no attribute '{name.Text}'")
        : new UndefinedValue($"{Describe(owner)} has no element {key.Repr()}");

    public static UndefinedValue Withheld(Value owner, string name) =>
        new($"access to attribute '{name}' of '{owner.TypeName}' object is unsafe.", ErrorKind.Security);

    public TemplateError Failure() => new(kind, message);

    public override void WriteRepr(TextBuffer output) => output.Append("Undefined");

    public override void WriteStr(TextBuffer output)
    {
    }

    public override string Str() => "";

    public override IEnumerable<Value> Iterate() => [];

    public override IEnumerable<Value>? IterateReversed() => [];

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value) => throw Failure();

    public override bool TryGetItem(Value key, [NotNullWhen(true)] out Value? value) => throw Failure();

    public override Value GetSlice(SliceBounds bounds) => throw Failure();

    public override Value Call(RenderState state, CallArguments arguments) => throw Failure();

    public override bool PythonEquals(Value other) => other is UndefinedValue;

    public override int PythonHash() => 1;

    private static string Describe(Value owner) => owner is NoneValue ? "None" : owner.TypeName + " object";
}
