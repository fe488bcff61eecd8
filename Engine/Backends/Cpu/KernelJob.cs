namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Work in independent items. Objects are kept and filled anew for each run, so that a step allocates nothing.</summary>
internal abstract class KernelJob
{
    /// <param name="item">Which item, from 0.</param>
    /// <param name="worker">Which thread runs it, from 0: for scratch memory.</param>
    public abstract void Execute(int item, int worker);
}
