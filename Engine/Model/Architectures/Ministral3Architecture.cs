namespace Fastgen.Engine.Model.Architectures;

/// <summary>Ministral 3: as Mistral with queries that grow with their position.</summary>
internal static class Ministral3Architecture
{
    public static Architecture Definition { get; } = MistralArchitecture.Definition with
    {
        Name = "Ministral3ForCausalLM",
        ModelType = "ministral3",
        Defaults = new ArchitectureDefaults
        {
            VocabularySize = 131_072,
            IntermediateSize = 14_336,
            LayerCount = 34,
            KeyValueHeadCount = 8,
            HeadDim = 128,
            MaxPositions = 262_144,
            RmsNormEpsilon = 1e-5,
        },
        Rope = new RopeRules
        {
            QueryScaling = true,
            Absent = new RopeConfig
            {
                Type = RopeType.Yarn,
                Theta = 1_000_000,
                Factor = 16,
                OriginalMaxPositions = 16_384,
                Mscale = 1,
                MscaleAllDim = 1,
                QueryScalingBeta = 0.1,
            },
        },
        SlidingWindows = (json, layers) => Enumerable.Repeat(LayerWindows.Window(json, defaultWindow: null), layers).ToArray(),
    };
}
