namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Names that every Python object answers to and that the sandbox withholds.</summary>
internal static class PythonNames
{
    private static readonly HashSet<string> ObjectDunders =
    [
        "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__", "__gt__", "__hash__",
        "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__",
        "__setattr__", "__sizeof__", "__str__", "__subclasshook__", "__len__", "__iter__", "__getitem__", "__contains__", "__add__",
        "__mul__", "__rmul__", "__dict__", "__module__", "__call__", "__globals__", "__code__", "__self__", "__bool__", "__int__",
    ];

    public static bool IsObjectDunder(string name) => name.StartsWith("__", StringComparison.Ordinal) && ObjectDunders.Contains(name);
}
