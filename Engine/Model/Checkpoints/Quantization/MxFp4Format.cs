namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>MXFP4 as gpt-oss is published in: the experts' matrices in blocks of 32 inputs, all experts of a layer in one tensor, everything else plain.</summary>
internal sealed class MxFp4Format : QuantizationFormat
{
    // The list of modules that are not converted is not needed: their tensors are plain.
    public override string Description => "mxfp4, blocks of 32";

    /// <summary>A linear layer by itself is plain.</summary>
    protected override QuantizedTensor? Open(QuantizedModule module) => null;

    protected override unsafe QuantizedTensor? OpenStack(ExpectedTensor expected, string leaf, QuantizedModule module)
    {
        var (blocksName, scalesName) = (leaf + "_blocks", leaf + "_scales");
        if (!module.Has(blocksName))
        {
            return null;
        }

        // Plain, each expert's matrix is stored [inputs, outputs]; in blocks it is the other way round.
        var (inputs, outputs) = (expected.Rows / expected.Stack, expected.Columns);
        if (inputs % MxFp4Tensor.BlockColumns != 0)
        {
            module.Report($"'{module.Name}.{blocksName}' holds {MxFp4Tensor.BlockColumns} inputs a block, but the matrices have {inputs:N0}");
            return null;
        }

        if ((long)expected.Stack * outputs > int.MaxValue)
        {
            module.Report($"'{module.Name}.{blocksName}' would have {expected.Stack:N0} × {outputs:N0} rows; supported: up to {int.MaxValue:N0}");
            return null;
        }

        var count = inputs / MxFp4Tensor.BlockColumns;
        var blocks = module.Require(blocksName, ["U8"], expected.Stack, outputs, count, MxFp4Tensor.BlockBytes);
        var scales = module.Require(scalesName, ["U8", "F8_E8M0"], expected.Stack, outputs, count);
        return blocks is null || scales is null ? null : new MxFp4Tensor(expected.Name, expected.Stack * outputs, inputs, (byte*)blocks.Value.Data, (byte*)scales.Value.Data);
    }
}
