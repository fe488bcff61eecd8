using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>All methods of str.</summary>
internal static class StringMethods
{
    private static readonly FrozenDictionary<string, (Signature Signature, Func<StrValue, Value?[], Value> Body)> Bound = CreateBound();

    private static readonly FrozenDictionary<string, Func<StrValue, CallArguments, Value>> Raw = new Dictionary<string, Func<StrValue, CallArguments, Value>>
    {
        ["format"] = (self, arguments) => StrFormat.Format(self, arguments),
        ["format_map"] = (self, arguments) => StrFormat.FormatMap(self, arguments),
    }.ToFrozenDictionary();

    public static bool TryGet(StrValue self, string name, [NotNullWhen(true)] out Value? value)
    {
        value = null;
        if (Bound.TryGetValue(name, out (Signature Signature, Func<StrValue, Value?[], Value> Body) method))
        {
            value = new BuiltinFunction(name, (_, arguments) => method.Body(self, method.Signature.Bind(arguments)));
        }
        else if (Raw.TryGetValue(name, out Func<StrValue, CallArguments, Value>? raw))
        {
            value = new BuiltinFunction(name, (_, arguments) => raw(self, arguments));
        }

        return value is not null;
    }

    private static FrozenDictionary<string, (Signature Signature, Func<StrValue, Value?[], Value> Body)> CreateBound()
    {
        var methods = new Dictionary<string, (Signature, Func<StrValue, Value?[], Value>)>();
        void Add(string name, string parameters, Func<StrValue, Value?[], Value> body) => methods[name] = (new Signature(name, parameters), body);
        void AddText(string name, string parameters, Func<string, Value?[], string> body) => Add(name, parameters, (self, a) => new StrValue(body(self.Text, a), self.IsMarkup));
        void AddTest(string name, Func<string, bool> test) => Add(name, "", (self, _) => BoolValue.Of(test(self.Text)));
        void AddClass(string name, Func<int, bool> test) => AddTest(name, text => CharacterTests.All(text, test));

        AddText("upper", "", (text, _) => CaseMapping.ToUpper(text));
        AddText("lower", "", (text, _) => CaseMapping.ToLower(text));
        AddText("title", "", (text, _) => CaseMapping.ToTitle(text));
        AddText("capitalize", "", (text, _) => CaseMapping.Capitalize(text));
        AddText("swapcase", "", (text, _) => CaseMapping.SwapCase(text));
        AddText("casefold", "", (text, _) => CaseMapping.ToCaseFold(text));
        AddText("strip", "chars? /", (text, a) => StringSearch.Strip(text, a[0], left: true, right: true));
        AddText("lstrip", "chars? /", (text, a) => StringSearch.Strip(text, a[0], left: true, right: false));
        AddText("rstrip", "chars? /", (text, a) => StringSearch.Strip(text, a[0], left: false, right: true));
        AddText("removeprefix", "prefix /", (text, a) => text.StartsWith(Coerce.Str(a[0], "prefix"), StringComparison.Ordinal) ? text[Coerce.Str(a[0], "prefix").Length..] : text);
        AddText("removesuffix", "suffix /", (text, a) => text.EndsWith(Coerce.Str(a[0], "suffix"), StringComparison.Ordinal) ? text[..^Coerce.Str(a[0], "suffix").Length] : text);
        AddText("ljust", "width fillchar? /", (text, a) => StringLayout.Pad(text, a, '<'));
        AddText("rjust", "width fillchar? /", (text, a) => StringLayout.Pad(text, a, '>'));
        AddText("center", "width fillchar? /", (text, a) => StringLayout.Pad(text, a, '^'));
        AddText("zfill", "width /", (text, a) => StringLayout.ZeroFill(text, Coerce.Int(a[0], 0)));
        AddText("expandtabs", "tabsize?", (text, a) => StringLayout.ExpandTabs(text, Coerce.Int(a[0], 8)));
        AddText("translate", "table /", (text, a) => StringLayout.Translate(text, a[0]!));
        Add("replace", "old new count? /", (self, a) => StringSearch.Replace(self, a));
        Add("find", "sub start? end? /", (self, a) => StringSearch.Find(self, a, last: false, required: false));
        Add("rfind", "sub start? end? /", (self, a) => StringSearch.Find(self, a, last: true, required: false));
        Add("index", "sub start? end? /", (self, a) => StringSearch.Find(self, a, last: false, required: true));
        Add("rindex", "sub start? end? /", (self, a) => StringSearch.Find(self, a, last: true, required: true));
        Add("count", "sub start? end? /", (self, a) => StringSearch.Count(self, a));
        Add("startswith", "prefix start? end? /", (self, a) => StringSearch.Affix(self, a, atEnd: false));
        Add("endswith", "suffix start? end? /", (self, a) => StringSearch.Affix(self, a, atEnd: true));
        Add("split", "sep? maxsplit?", (self, a) => StringSplit.Split(self, a, fromRight: false));
        Add("rsplit", "sep? maxsplit?", (self, a) => StringSplit.Split(self, a, fromRight: true));
        Add("splitlines", "keepends?", (self, a) => StringSplit.Lines(self, Coerce.Flag(a[0])));
        Add("partition", "sep /", (self, a) => StringSplit.Partition(self, a[0]!, last: false));
        Add("rpartition", "sep /", (self, a) => StringSplit.Partition(self, a[0]!, last: true));
        Add("join", "iterable /", (self, a) => StringSplit.Join(self, a[0]!));
        Add("encode", "encoding? errors?", (self, a) => TextEncodings.Encode(self.Text, a));
        Add("maketrans", "x y? z? /", (_, a) => StringLayout.MakeTranslation(a));
        AddClass("isalpha", PythonText.IsAlpha);
        AddClass("isalnum", PythonText.IsAlphanumeric);
        AddClass("isdigit", PythonText.IsDigit);
        AddClass("isdecimal", PythonText.IsDecimal);
        AddClass("isnumeric", PythonText.IsNumeric);
        AddTest("isspace", text => text.Length > 0 && PythonText.IsSpace(text));
        AddTest("islower", CharacterTests.IsLower);
        AddTest("isupper", CharacterTests.IsUpper);
        AddTest("istitle", CharacterTests.IsTitle);
        AddTest("isidentifier", CharacterTests.IsIdentifier);
        AddTest("isascii", text => System.Text.Ascii.IsValid(text));
        AddTest("isprintable", text => CharacterTests.CodePoints(text).All(PythonText.IsPrintable));
        return methods.ToFrozenDictionary();
    }
}
