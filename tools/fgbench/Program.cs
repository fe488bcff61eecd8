using System.CommandLine;
using Fastgen.Engine;
using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Model;
using Fastgen.Engine.Text;
using Fastgen.Tools.CommandLine;
using Fastgen.Tools.FgBench;

var root = new RootCommand("""
    Measures what the engine reaches and what this machine could give.

    Examples:
      fgbench throughput --model models/shapes/mistral-7b --dummy-weights
      fgbench throughput --model models/shapes/mistral-7b --dummy-weights --sweep
      fgbench latency --model models/demo --requests 1,8 --prompt 64 --decode 64
      fgbench interference --model models/shapes/mistral-7b --dummy-weights
      fgbench serve --url http://127.0.0.1:5678 --model models/demo --rate 20
      fgbench kernels --model models/shapes/llama-3.2-1b
      fgbench decode --model models/shapes/llama-3.2-1b --batch 1,4,16
      fgbench tokenizer --tokenizer models/demo
      fgbench plot --rows docs/bench/gpu.jsonl --where model=mistral-7b
    """)
{
    ThroughputCommand.Create(),
    LatencyCommand.Create(),
    InterferenceCommand.Create(),
    ServeCommand.Create(),
    KernelsCommand.Create(),
    DecodeCommand.Create(),
    TokenizerCommand.Create(),
    PlotCommand.Create(),
};
try
{
    return await CommandRunner.RunAsync("fgbench", root, args, throws: true);
}
catch (Exception e)
{
    // What a user can put right is told in its message; anything else is a mistake of this program, and its place matters.
    bool explained = e is ModelLoadException or TokenizerFormatException or CudaException or ArgumentException or InvalidOperationException or IOException or InvalidDataException or HttpRequestException or EngineRequestException or EngineFaultedException;
    TerminalOutput.WriteError("fgbench", explained ? e.Message.ReplaceLineEndings(" ") : e.ToString());
    return 1;
}
