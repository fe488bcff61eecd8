using System.Text;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>Says at which stage of the forward pass the residual stream leaves the reference.</summary>
internal static class HiddenBisection
{
    public static string Describe(GoldenCase golden, ModelRunner runner)
    {
        var report = new StringBuilder("Largest error of the residual stream over prompt 0, run whole:");
        var rows = golden.Prompts[0].Length;
        var isFirstStep = true;
        runner.Probe = (stage, read) =>
        {
            if (!isFirstStep || !golden.Has("hidden." + stage))
            {
                return;
            }

            var expected = golden.Read<float>("hidden." + stage);
            var actual = read(rows);
            report.Append($" {stage} {expected.Zip(actual, (e, a) => Math.Abs((double)e - a)).Max():G3};");
            isFirstStep = stage != "norm";
        };
        new GoldenRun(runner, golden).Generate(int.MaxValue, together: false);
        runner.Probe = null;
        return report.ToString();
    }
}
