using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

/// <summary>Variables of one block, and the block around it. Names come from one template's name table, so references compare.</summary>
internal sealed class Scope(Scope? parent)
{
    private string[] _names = [];
    private Value[] _values = [];
    private int _count;

    public void Set(string name, Value value)
    {
        for (int i = 0; i < _count; i++)
        {
            if (ReferenceEquals(_names[i], name))
            {
                _values[i] = value;
                return;
            }
        }

        if (_count == _names.Length)
        {
            int size = Math.Max(4, _count * 2);
            Array.Resize(ref _names, size);
            Array.Resize(ref _values, size);
        }

        _names[_count] = name;
        _values[_count++] = value;
    }

    public Value? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Outer)
        {
            for (int i = 0; i < scope._count; i++)
            {
                if (ReferenceEquals(scope._names[i], name))
                {
                    return scope._values[i];
                }
            }
        }

        return null;
    }

    private Scope? Outer => parent;
}
