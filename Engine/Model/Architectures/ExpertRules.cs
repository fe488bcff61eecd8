using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>Reads the expert keys that architectures share, and checks what comes of them.</summary>
internal static class ExpertRules
{
    /// <summary>Largest width of an expert: beyond every published model.</summary>
    private const int MaxWidth = 1 << 20;

    /// <summary>An expert count under either of the names that transformers takes for one another.</summary>
    public static int Count(ConfigJson json, string key, string otherKey, int defaultCount) =>
        json.Integer(key, 0, ExpertRouting.MaxExperts) ?? json.Integer(otherKey, 0, ExpertRouting.MaxExperts) ?? defaultCount;

    /// <exception cref="ModelLoadException">The key is absent, or out of range.</exception>
    public static int Required(ConfigJson json, string key) =>
        json.Integer(key, 0, ExpertRouting.MaxExperts) ?? throw json.Error(key, "is missing, but this model's experts need it; correct the file or download it again.");

    public static int Width(ConfigJson json, string key, int defaultWidth) => json.Integer(key, 1, MaxWidth) ?? defaultWidth;

    /// <summary>Width of all shared experts together: they are stored as one.</summary>
    public static int SharedWidth(ConfigJson json, int defaultCount, int width)
    {
        var count = json.Integer("n_shared_experts", 0, ExpertRouting.MaxExperts) ?? (json.IsNull("n_shared_experts") ? 0 : defaultCount);
        return (long)count * width <= MaxWidth
            ? count * width
            : throw json.Error("n_shared_experts", $"is {count}, which with moe_intermediate_size {width:N0} makes a shared expert {(long)count * width:N0} wide; supported: up to {MaxWidth:N0}.");
    }

    /// <exception cref="ModelLoadException">The counts do not fit one another.</exception>
    public static ExpertRouting Check(ConfigJson json, ExpertRouting routing) => routing.Problem is not { } problem
        ? routing
        : throw new ModelLoadException($"{json.Source}: the file describes {problem}; correct its expert counts or download it again.");
}
