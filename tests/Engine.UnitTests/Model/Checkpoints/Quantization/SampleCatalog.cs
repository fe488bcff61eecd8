namespace Fastgen.Engine.UnitTests.Model.Checkpoints.Quantization;

/// <summary>Matrices in every format that is read, with usual and with odd sizes.</summary>
internal static class SampleCatalog
{
    public static IReadOnlyDictionary<string, Func<QuantizedSample>> All { get; } = new Dictionary<string, Func<QuantizedSample>>(StringComparer.Ordinal)
    {
        ["awq g32"] = () => QuantizedSample.Awq(24, 96, 32),
        ["awq g128"] = () => QuantizedSample.Awq(136, 1280, 128),
        ["awq whole rows"] = () => QuantizedSample.Awq(8, 160, -1),
        ["awq g16"] = () => QuantizedSample.Awq(16, 64, 16),
        ["awq g64, 80 inputs"] = () => QuantizedSample.Awq(16, 80, 64),
        ["gptq g32 symmetric"] = () => QuantizedSample.Gptq(24, 96, 32, 4, isV2: false, isSymmetric: true),
        ["gptq g64"] = () => QuantizedSample.Gptq(72, 1216, 64, 4, isV2: false, isSymmetric: false),
        ["gptq v2"] = () => QuantizedSample.Gptq(24, 96, 32, 4, isV2: true, isSymmetric: false),
        ["gptq whole rows"] = () => QuantizedSample.Gptq(8, 2080, -1, 4, isV2: false, isSymmetric: true),
        ["gptq 8 bits"] = () => QuantizedSample.Gptq(24, 96, 32, 8, isV2: false, isSymmetric: false),
        ["gptq 8 bits symmetric"] = () => QuantizedSample.Gptq(24, 1056, 32, 8, isV2: true, isSymmetric: true),
        ["gptq act order"] = () => QuantizedSample.Gptq(24, 96, 32, 4, isV2: false, isSymmetric: false, order: column => column % 3),
        ["gptq act order, uneven groups"] = () => QuantizedSample.Gptq(24, 96, 32, 4, isV2: false, isSymmetric: false, order: column => column < 50 ? 2 : column % 3),
        ["gptq act order, groups of zero"] = () => QuantizedSample.Gptq(8, 64, -1, 4, isV2: false, isSymmetric: true, order: _ => 0),
        ["packed int4 g32"] = () => QuantizedSample.Packed(13, 96, 32, 4, isSymmetric: true),
        ["packed int4 g128 zeros"] = () => QuantizedSample.Packed(13, 1152, 128, 4, isSymmetric: false),
        ["packed int4 channel, 100 inputs"] = () => QuantizedSample.Packed(7, 100, null, 4, isSymmetric: true),
        ["packed int4 act order"] = () => QuantizedSample.Packed(9, 128, 32, 4, isSymmetric: true, order: column => 3 - (column % 4)),
        ["packed int8 channel"] = () => QuantizedSample.Packed(10, 128, null, 8, isSymmetric: true),
        ["packed int8 g64 zeros"] = () => QuantizedSample.Packed(10, 128, 64, 8, isSymmetric: false),
        ["int8"] = () => QuantizedSample.Int8(21, 1056, isSymmetric: true),
        ["int8 zeros"] = () => QuantizedSample.Int8(21, 64, isSymmetric: false),
        ["fp8 blocks"] = () => QuantizedSample.Fp8Blocks(256, 1152),
        ["fp8 ragged blocks"] = () => QuantizedSample.Fp8Blocks(130, 160),
        ["mxfp4"] = () => QuantizedSample.MxFp4(1, 22, 1120),
        ["mxfp4 stack"] = () => QuantizedSample.MxFp4(3, 10, 32),
        ["fp8 static"] = () => QuantizedSample.Fp8Static(20, 64),
    };

    public static TheoryData<string> Names => [.. All.Keys];
}
