using System.Text.Json.Serialization;

namespace Fastgen.Engine.Model.Inspection;

/// <summary>Serializers made at build time, so that trimmed programs have them.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ModelInspection))]
internal sealed partial class InspectionJson : JsonSerializerContext;
