namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>When Metaspace puts its character in front of a piece.</summary>
internal enum MetaspacePrepend
{
    Always,
    First,
    Never,
}
