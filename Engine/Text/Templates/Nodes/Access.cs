using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

/// <summary>obj.name and obj[key] with the sandbox's rules.</summary>
internal static class Access
{
    /// <summary>Attribute first, then item; undefined when neither is there.</summary>
    public static Value Attribute(Value owner, StrValue name)
    {
        if (owner.IsWithheld(name.Text))
        {
            return UndefinedValue.Withheld(owner, name.Text);
        }

        if (owner.TryGetAttribute(name.Text, out Value? value))
        {
            return name.Text.StartsWith('_') ? UndefinedValue.Withheld(owner, name.Text) : value;
        }

        return owner.TryGetItem(name, out value) ? value : UndefinedValue.Member(owner, name);
    }

    /// <summary>Item first, then, for a string, attribute.</summary>
    public static Value Item(Value owner, Value key)
    {
        if (owner.TryGetItem(key, out Value? value))
        {
            return value;
        }

        if (key is StrValue name)
        {
            if (owner.IsWithheld(name.Text))
            {
                return UndefinedValue.Withheld(owner, name.Text);
            }

            if (owner.TryGetAttribute(name.Text, out value))
            {
                return name.Text.StartsWith('_') ? UndefinedValue.Withheld(owner, name.Text) : value;
            }
        }

        return UndefinedValue.Member(owner, key);
    }
}
