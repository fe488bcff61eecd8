namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>Which scale belongs to which column of a matrix.</summary>
internal sealed class ColumnGroups
{
    private ColumnGroups(int size, int count, int[]? order, int[]? irregular)
    {
        Size = size;
        Count = count;
        Order = order;
        Irregular = irregular;
    }

    /// <summary>Columns of a group; the last may have fewer.</summary>
    public int Size { get; }

    public int Count { get; }

    /// <summary>Columns sorted so that groups follow one another: position to column. Null: they do already.</summary>
    public int[]? Order { get; }

    /// <summary>The group of each column where groups differ in size, so that no order makes them regular.</summary>
    public int[]? Irregular { get; }

    /// <param name="size">Columns of a group, at least 1.</param>
    public static ColumnGroups Consecutive(int columns, int size) => new(Math.Min(size, columns), (columns + size - 1) / size, null, null);

    /// <param name="groupOf">The group of each column, from 0 and below <paramref name="count"/>.</param>
    public static ColumnGroups Of(int[] groupOf, int size, int count)
    {
        var isConsecutive = true;
        var sizes = new int[count];
        for (var column = 0; column < groupOf.Length; column++)
        {
            sizes[groupOf[column]]++;
            isConsecutive &= groupOf[column] == column / size;
        }

        if (isConsecutive)
        {
            return new ColumnGroups(Math.Min(size, groupOf.Length), count, null, null);
        }

        for (var group = 0; group < count; group++)
        {
            if (sizes[group] != Math.Clamp(groupOf.Length - ((long)group * size), 0, size))
            {
                return new ColumnGroups(size, count, null, groupOf);
            }
        }

        // A stable sort keeps neighbours together.
        return new ColumnGroups(size, count, [.. Enumerable.Range(0, groupOf.Length).OrderBy(column => groupOf[column])], null);
    }
}
