using System.Globalization;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>Names of a mixture of experts' tensors: {0} stands for the layer's number, {1} for the expert's.</summary>
internal sealed record ExpertNames
{
    public string Router { get; init; } = "model.layers.{0}.mlp.gate.weight";

    public string ChoiceBias { get; init; } = "model.layers.{0}.mlp.gate.e_score_correction_bias";

    public string Gate { get; init; } = "model.layers.{0}.mlp.experts.{1}.gate_proj.weight";

    public string Up { get; init; } = "model.layers.{0}.mlp.experts.{1}.up_proj.weight";

    public string Down { get; init; } = "model.layers.{0}.mlp.experts.{1}.down_proj.weight";

    /// <summary>Gate and up of all experts in one tensor [experts, hidden, 2 × intermediate], their columns by turns; null where each expert has its own.</summary>
    public string? StackedGateUp { get; init; }

    /// <summary>Down of all experts in one tensor [experts, intermediate, hidden]; null where each expert has its own.</summary>
    public string? StackedDown { get; init; }

    public string SharedGate { get; init; } = "model.layers.{0}.mlp.shared_experts.gate_proj.weight";

    public string SharedUp { get; init; } = "model.layers.{0}.mlp.shared_experts.up_proj.weight";

    public string SharedDown { get; init; } = "model.layers.{0}.mlp.shared_experts.down_proj.weight";

    public static string Of(string template, int layer, int expert) => string.Format(CultureInfo.InvariantCulture, template, layer, expert);
}
