using Fastgen.Engine.Backends;
using Fastgen.Engine.Model.Architectures;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.Model;

/// <summary>Names, shapes and loading of one layer's latent attention, without its output projection.</summary>
internal readonly struct LatentLoader(ModelConfig config, int layer)
{
    private LatentConfig Latent => config.Latent!;

    private LatentLayout Layout => Latent.Layout;

    private LatentNames Names => config.Architecture.Weights.Latent;

    private int QuerySize => Layout.HeadCount * Layout.QueryDim;

    private LinearPart? QueryDown => Latent.QueryRank is { } rank ? Matrix(Names.QueryDown, rank, config.HiddenSize, config.QkvBias) : null;

    private ExpectedTensor? QueryNorm => Latent.QueryRank is { } rank ? new ExpectedTensor(WeightNames.OfLayer(Names.QueryNorm, layer), 1, rank) : null;

    private LinearPart Query => Latent.QueryRank is { } rank
        ? Matrix(Names.QueryUp, QuerySize, rank, bias: false)
        : Matrix(Names.Query, QuerySize, config.HiddenSize, bias: false);

    private LinearPart KeyValueDown => Matrix(Names.KeyValueDown, Layout.CachedDim, config.HiddenSize, config.QkvBias);

    private ExpectedTensor KeyValueNorm => new(WeightNames.OfLayer(Names.KeyValueNorm, layer), 1, Layout.LatentDim);

    private ExpectedTensor KeyValueUp => new(WeightNames.OfLayer(Names.KeyValueUp, layer), Latent.KeyValueSize, Layout.LatentDim);

    /// <summary>What the checkpoint must hold.</summary>
    public IEnumerable<ExpectedTensor> ExpectedTensors()
    {
        foreach (var part in (LinearPart?[])[QueryDown, Query, KeyValueDown])
        {
            if (part is { } present)
            {
                yield return present.Weight;
                if (present.Bias is { } bias)
                {
                    yield return bias;
                }
            }
        }

        if (QueryNorm is { } norm)
        {
            yield return norm;
        }

        yield return KeyValueNorm;
        yield return KeyValueUp;
    }

    /// <param name="owned">Gets whatever was loaded, also where loading fails in between.</param>
    public LatentLayerWeights Load(WeightReader reader, IBackend backend, List<IDisposable> owned)
    {
        var name = $"layers.{layer}";
        var queryDown = QueryDown is { } down ? Linear($"{name}.query_down", reader, backend, owned, down) : null;
        var queryNorm = QueryNorm is { } norm ? Keep(owned, backend.LoadVector(reader.Read(norm), 0)) : null;
        return new LatentLayerWeights
        {
            QueryDown = queryDown,
            QueryNorm = queryNorm,
            Query = Linear($"{name}.query", reader, backend, owned, Query),
            KeyValueDown = Linear($"{name}.key_value_down", reader, backend, owned, KeyValueDown),
            Attention = LoadAttention(name, reader, backend, owned),
        };
    }

    private LatentWeights LoadAttention(string name, WeightReader reader, IBackend backend, List<IDisposable> owned)
    {
        var norm = Keep(owned, backend.LoadVector(reader.Read(KeyValueNorm), 0));
        var source = reader.Read(KeyValueUp);
        var (keys, values) = (new List<LinearWeight>(Layout.HeadCount), new List<LinearWeight>(Layout.HeadCount));
        for (var head = 0; head < Layout.HeadCount; head++)
        {
            // Each head's rows are its key's, then its value's.
            using var derived = new DerivedWeights();
            var first = head * (Layout.ContentDim + Layout.ValueDim);
            var key = derived.AddTransposed("key", source, first, Layout.ContentDim, 0, Layout.LatentDim, 1);
            var value = derived.AddRows("value", source, first + Layout.ContentDim, Layout.ValueDim);
            keys.Add(Linear($"{name}.key_up.{head}", derived.Reader(), backend, owned, new LinearPart(key, null)));
            values.Add(Linear($"{name}.value_up.{head}", derived.Reader(), backend, owned, new LinearPart(value, null)));
        }

        return new LatentWeights { Norm = norm, NormEpsilon = LatentConfig.NormEpsilon, KeyProjections = keys, ValueProjections = values };
    }

    private LinearPart Matrix(string template, int outputs, int inputs, bool bias)
    {
        var name = WeightNames.OfLayer(template, layer);
        return new LinearPart(new ExpectedTensor(name, outputs, inputs), bias ? new ExpectedTensor(WeightNames.BiasOf(name), 1, outputs) : null);
    }

    private static LinearWeight Linear(string name, WeightReader reader, IBackend backend, List<IDisposable> owned, LinearPart part) =>
        Keep(owned, backend.LoadLinear(name, [part], reader));

    private static T Keep<T>(List<IDisposable> owned, T item)
        where T : IDisposable
    {
        owned.Add(item);
        return item;
    }
}
