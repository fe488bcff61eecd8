using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>sorted(): stable, and comparing only by "less than", so that what Python cannot order fails as it does there.</summary>
internal static class StableSort
{
    public static List<Value> Sort(List<Value> items, Func<Value, Value> key, bool reverse)
    {
        var entries = items.Select(item => (Key: key(item), Item: item)).ToArray();
        if (reverse)
        {
            // Equal items keep their order in a reversed sort too.
            Array.Reverse(entries);
        }

        var buffer = new (Value Key, Value Item)[entries.Length];
        Merge(entries, buffer, 0, entries.Length);
        if (reverse)
        {
            Array.Reverse(entries);
        }

        return [.. entries.Select(entry => entry.Item)];
    }

    private static void Merge((Value Key, Value Item)[] entries, (Value Key, Value Item)[] buffer, int start, int end)
    {
        if (end - start < 2)
        {
            return;
        }

        int middle = (start + end) / 2;
        Merge(entries, buffer, start, middle);
        Merge(entries, buffer, middle, end);
        Array.Copy(entries, start, buffer, start, end - start);
        int left = start;
        int right = middle;
        RenderBudget budget = RenderBudget.Current;
        for (int i = start; i < end; i++)
        {
            budget.Step();
            bool takeRight = left >= middle || (right < end && Operators.IsLess(buffer[right].Key, buffer[left].Key));
            entries[i] = takeRight ? buffer[right++] : buffer[left++];
        }
    }
}
