namespace Aspire.Hosting.ApplicationModel;

/// <summary>A part of the application.</summary>
public interface IResource
{
    /// <summary>Name, unique in the application without regard to case.</summary>
    string Name { get; }
}
