using Fastgen.Engine.Backends;
using Fastgen.Engine.Model.Architectures;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.Model;

/// <summary>Names, shapes and loading of one layer's mixture of experts.</summary>
internal readonly struct MoeLoader(ModelConfig config, int layer)
{
    private MoeConfig Moe => config.Moe!;

    private ExpertNames Names => config.Architecture.Weights.Experts;

    private int ExpertCount => Moe.Routing.ExpertCount;

    private LinearPart Router => Matrix(WeightNames.OfLayer(Names.Router, layer), ExpertCount, config.HiddenSize, Moe.HasBias);

    private ExpectedTensor ChoiceBias => new(WeightNames.OfLayer(Names.ChoiceBias, layer), 1, ExpertCount);

    private ExpectedTensor? StackedGateUp => Stacked(Names.StackedGateUp, config.HiddenSize, 2 * Moe.IntermediateSize);

    private ExpectedTensor? StackedDown => Stacked(Names.StackedDown, Moe.IntermediateSize, config.HiddenSize);

    private LinearPart[] SharedGateUp =>
    [
        Matrix(WeightNames.OfLayer(Names.SharedGate, layer), Moe.SharedIntermediateSize, config.HiddenSize, config.MlpBias),
        Matrix(WeightNames.OfLayer(Names.SharedUp, layer), Moe.SharedIntermediateSize, config.HiddenSize, config.MlpBias),
    ];

    private LinearPart[] SharedDown => [Matrix(WeightNames.OfLayer(Names.SharedDown, layer), config.HiddenSize, Moe.SharedIntermediateSize, config.MlpBias)];

    /// <summary>What the checkpoint must hold.</summary>
    public IEnumerable<ExpectedTensor> ExpectedTensors()
    {
        var parts = new List<LinearPart> { Router };
        var stacked = new List<ExpectedTensor>();
        if (StackedGateUp is { } gateUp && StackedDown is { } down)
        {
            stacked.AddRange([gateUp, StackedBias(gateUp), down, StackedBias(down)]);
        }
        else
        {
            for (var expert = 0; expert < ExpertCount; expert++)
            {
                parts.AddRange([.. GateUp(expert), .. Down(expert)]);
            }
        }

        if (Moe.SharedIntermediateSize > 0)
        {
            parts.AddRange([.. SharedGateUp, .. SharedDown]);
        }

        if (Moe.HasChoiceBias)
        {
            stacked.Add(ChoiceBias);
        }

        return [.. parts.SelectMany(part => part.Bias is { } bias ? (ExpectedTensor[])[part.Weight, bias] : [part.Weight]), .. stacked];
    }

    /// <param name="owned">Gets whatever was loaded, also where loading fails in between.</param>
    public MoeWeights Load(WeightReader reader, IBackend backend, List<IDisposable> owned)
    {
        var name = $"layers.{layer}.experts";
        return new MoeWeights
        {
            Routing = Moe.Routing,
            Router = Linear($"layers.{layer}.router", reader, backend, owned, Router),
            ChoiceBias = Moe.HasChoiceBias ? Keep(owned, backend.LoadVector(reader.Read(ChoiceBias), 0)) : null,
            Experts = StackedGateUp is { } gateUp && StackedDown is { } down ? LoadStacked(name, gateUp, down, reader, backend, owned) : LoadEach(name, reader, backend, owned),
            Shared = Moe.SharedIntermediateSize == 0 ? null : new ExpertWeights(
                Linear($"{name}.shared.gate_up", reader, backend, owned, SharedGateUp),
                Linear($"{name}.shared.down", reader, backend, owned, SharedDown)),
            Activation = config.Activation,
            Clamp = Moe.Clamp,
        };
    }

    private List<ExpertWeights> LoadEach(string name, WeightReader reader, IBackend backend, List<IDisposable> owned)
    {
        var experts = new List<ExpertWeights>(ExpertCount);
        for (var expert = 0; expert < ExpertCount; expert++)
        {
            experts.Add(new ExpertWeights(
                Linear($"{name}.{expert}.gate_up", reader, backend, owned, GateUp(expert)),
                Linear($"{name}.{expert}.down", reader, backend, owned, Down(expert))));
        }

        return experts;
    }

    /// <summary>Takes stacked tensors apart: gate and up by turns.</summary>
    private List<ExpertWeights> LoadStacked(string name, ExpectedTensor gateUp, ExpectedTensor down, WeightReader reader, IBackend backend, List<IDisposable> owned)
    {
        var (hidden, intermediate) = (config.HiddenSize, Moe.IntermediateSize);
        using var biases = new DerivedWeights();
        var gateUpBiases = reader.Read(StackedBias(gateUp));
        var gateBias = Vectors("gate.bias", gateUpBiases, 0, intermediate, 2);
        var upBias = Vectors("up.bias", gateUpBiases, 1, intermediate, 2);
        var downBias = Vectors("down.bias", reader.Read(StackedBias(down)), 0, hidden, 1);

        // One tensor at a time: the next may take its place in memory.
        var stack = new ExpertStack(reader, gateUp);
        var gateUps = new List<LinearWeight>(ExpertCount);
        for (var expert = 0; expert < ExpertCount; expert++)
        {
            using var derived = new DerivedWeights();
            var gate = stack.AddTo(derived, "gate", expert, 0, intermediate, 2);
            var up = stack.AddTo(derived, "up", expert, 1, intermediate, 2);
            Take(derived, gateBias[expert], upBias[expert]);
            gateUps.Add(Linear($"{name}.{expert}.gate_up", derived.Reader(reader.Online), backend, owned, new LinearPart(gate, gateBias[expert]), new LinearPart(up, upBias[expert])));
        }

        stack = new ExpertStack(reader, down);
        var experts = new List<ExpertWeights>(ExpertCount);
        for (var expert = 0; expert < ExpertCount; expert++)
        {
            using var derived = new DerivedWeights();
            var matrix = stack.AddTo(derived, "down", expert, 0, hidden, 1);
            Take(derived, downBias[expert]);
            experts.Add(new ExpertWeights(gateUps[expert], Linear($"{name}.{expert}.down", derived.Reader(reader.Online), backend, owned, new LinearPart(matrix, downBias[expert]))));
        }

        return experts;

        ExpectedTensor[] Vectors(string kind, HostTensor stacked, int firstColumn, int columns, int step)
        {
            var vectors = new ExpectedTensor[stacked.Rows];
            for (var expert = 0; expert < vectors.Length; expert++)
            {
                vectors[expert] = biases.AddVector($"{expert}.{kind}", stacked, expert, firstColumn, columns, step);
            }

            return vectors;
        }

        void Take(DerivedWeights derived, params ReadOnlySpan<ExpectedTensor> vectors)
        {
            foreach (var vector in vectors)
            {
                derived.AddRows(vector.Name, biases.Read(vector), 0, 1);
            }
        }
    }

    private LinearPart[] GateUp(int expert) =>
    [
        Matrix(ExpertNames.Of(Names.Gate, layer, expert), Moe.IntermediateSize, config.HiddenSize, Moe.HasBias),
        Matrix(ExpertNames.Of(Names.Up, layer, expert), Moe.IntermediateSize, config.HiddenSize, Moe.HasBias),
    ];

    private LinearPart[] Down(int expert) => [Matrix(ExpertNames.Of(Names.Down, layer, expert), config.HiddenSize, Moe.IntermediateSize, Moe.HasBias)];

    private ExpectedTensor? Stacked(string? template, int rows, int columns)
    {
        if (template is null)
        {
            return null;
        }

        var name = WeightNames.OfLayer(template, layer);
        return (long)ExpertCount * rows <= int.MaxValue
            ? new ExpectedTensor(name, ExpertCount * rows, columns) { Stack = ExpertCount }
            : throw new ModelLoadException($"'{name}' would have {ExpertCount:N0} × {rows:N0} rows; supported: up to {int.MaxValue:N0}. Correct config.json.");
    }

    private static ExpectedTensor StackedBias(ExpectedTensor weight) => new(weight.Name + "_bias", weight.Stack, weight.Columns);

    private static LinearPart Matrix(string name, int outputs, int inputs, bool bias) =>
        new(new ExpectedTensor(name, outputs, inputs), bias ? new ExpectedTensor(WeightNames.BiasOf(name), 1, outputs) : null);

    private static LinearWeight Linear(string name, WeightReader reader, IBackend backend, List<IDisposable> owned, params LinearPart[] parts) =>
        Keep(owned, backend.LoadLinear(name, parts, reader));

    private static T Keep<T>(List<IDisposable> owned, T item)
        where T : IDisposable
    {
        owned.Add(item);
        return item;
    }
}
