using System.Text.Json.Serialization;

namespace Fastgen.Contracts.Wire;

/// <summary>JSON of the messages that are written seldom or carry JSON of a caller anyway.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(GenerationRequest))]
[JsonSerializable(typeof(WorkerStatus))]
[JsonSerializable(typeof(GatewayStatus))]
public sealed partial class ContractsJson : JsonSerializerContext;
