using System.IO.MemoryMappedFiles;

namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>A memory-mapped safetensors file whose header has been checked against its length.</summary>
internal sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile? _mapping;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _start;

    private SafetensorsFile(string path, IReadOnlyList<SafetensorsEntry> entries, MemoryMappedFile? mapping)
    {
        Path = path;
        Entries = entries;
        _mapping = mapping;
        if (mapping is not null)
        {
            _view = mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
            _start += _view.PointerOffset;
        }
    }

    public string Path { get; }

    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <exception cref="ModelLoadException">The file is absent or damaged.</exception>
    public static SafetensorsFile Open(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            var fileBytes = stream.Length;
            var entries = SafetensorsHeader.Read(stream, fileBytes, path);
            stream.Position = 0;
            var mapping = entries.Count == 0
                ? null
                : MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new SafetensorsFile(path, entries, mapping);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ModelLoadException($"'{path}' cannot be read: {exception.Message} Check that the download is complete and that the file may be read.", exception);
        }
    }

    /// <summary>Address of a tensor's first byte.</summary>
    public nint Address(in SafetensorsEntry entry) => (nint)(_start + entry.Offset);

    public void Dispose()
    {
        if (_view is not null)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
        }

        _mapping?.Dispose();
    }
}
