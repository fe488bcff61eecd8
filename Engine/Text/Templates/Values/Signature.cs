namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>Parameter list of a builtin, bound as Python binds: by position, then by name, missing and surplus refused.</summary>
/// <remarks>Written as "old new count?": a question mark marks what may be left out, "/" closes the part that has no names.</remarks>
internal sealed class Signature
{
    private readonly string _function;
    private readonly string[] _names;
    private readonly int _required;
    private readonly int _positionalOnly;

    public Signature(string function, string parameters)
    {
        _function = function;
        string[] parts = parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        _positionalOnly = Math.Max(0, Array.IndexOf(parts, "/"));
        parts = [.. parts.Where(part => part != "/")];
        _required = parts.Count(part => !part.EndsWith('?'));
        _names = [.. parts.Select(part => part.TrimEnd('?'))];
    }

    public Value?[] Bind(CallArguments arguments) => Bind(null, arguments);

    /// <summary>Binds with <paramref name="first"/>, when given, ahead of the positional arguments.</summary>
    public Value?[] Bind(Value? first, CallArguments arguments)
    {
        var bound = new Value?[_names.Length];
        int offset = 0;
        if (first is not null)
        {
            bound[0] = first;
            offset = 1;
        }

        if (offset + arguments.Positional.Length > bound.Length)
        {
            throw TemplateError.Type($"{_function}() takes at most {_names.Length - offset} arguments ({arguments.Positional.Length} given)");
        }

        arguments.Positional.CopyTo(bound, offset);
        foreach (KeyValuePair<string, Value> argument in arguments.Named)
        {
            int index = Array.IndexOf(_names, argument.Key);
            if (index < _positionalOnly)
            {
                throw TemplateError.Type($"{_function}() got an unexpected keyword argument '{argument.Key}'");
            }

            if (bound[index] is not null)
            {
                throw TemplateError.Type($"{_function}() got multiple values for argument '{argument.Key}'");
            }

            bound[index] = argument.Value;
        }

        for (int i = 0; i < _required; i++)
        {
            if (bound[i] is null)
            {
                throw TemplateError.Type($"{_function}() missing required argument: '{_names[i]}'");
            }
        }

        return bound;
    }
}
