using System.Buffers.Binary;
using System.Text;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints;

/// <summary>Writes safetensors files, good and bad.</summary>
internal static class SafetensorsBytes
{
    public static byte[] File(string header, int dataBytes, long? claimedHeaderBytes = null)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, claimedHeaderBytes ?? json.Length);
        json.CopyTo(file, 8);
        return file;
    }

    /// <summary>fp32 tensors, one after the other.</summary>
    public static byte[] Floats(params (string Name, int[] Shape, float[] Values)[] tensors)
    {
        var header = new StringBuilder("{");
        var offset = 0;
        foreach (var (name, shape, values) in tensors)
        {
            header.Append(header.Length > 1 ? "," : "");
            header.Append(System.Globalization.CultureInfo.InvariantCulture, $"\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{offset},{offset + (values.Length * 4)}]}}");
            offset += values.Length * 4;
        }

        var file = File(header.Append('}').ToString(), offset);
        var position = file.Length - offset;
        foreach (var (_, _, values) in tensors)
        {
            Buffer.BlockCopy(values, 0, file, position, values.Length * 4);
            position += values.Length * 4;
        }

        return file;
    }
}
