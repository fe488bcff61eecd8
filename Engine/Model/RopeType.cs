namespace Fastgen.Engine.Model;

/// <summary>Ways to stretch rotary position embeddings, named as <c>rope_type</c> in config.json.</summary>
internal enum RopeType
{
    Default,
    Linear,
    Dynamic,
    Yarn,
    LongRope,
    Llama3,
}
