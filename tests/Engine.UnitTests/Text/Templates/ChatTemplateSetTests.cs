using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.UnitTests.Text.Templates;

public sealed class ChatTemplateSetTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("chat-template-set-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Folder_without_templates_gives_null()
    {
        Write("tokenizer_config.json", """{"bos_token":"<s>"}""");
        Assert.Null(ChatTemplateSet.LoadFolder(_folder));
    }

    [Fact]
    public void Template_file_wins_over_tokenizer_config()
    {
        Write("tokenizer_config.json", """{"chat_template":"config"}""");
        Write("chat_template.jinja", "file");
        Assert.Equal("file", ChatTemplateSet.LoadFolder(_folder)!.Select(null, hasTools: false).Source);
    }

    [Fact]
    public void Named_list_chooses_tool_use_when_there_are_tools()
    {
        Write("tokenizer_config.json", """{"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t"},{"name":"rag","template":"r"}]}""");
        ChatTemplateSet set = ChatTemplateSet.LoadFolder(_folder)!;
        Assert.Equal("d", set.Select(null, hasTools: false).Source);
        Assert.Equal("t", set.Select(null, hasTools: true).Source);
        Assert.Equal("r", set.Select("rag", hasTools: true).Source);
        Assert.Contains("rag", Assert.Throws<ChatTemplateException>(() => set.Select("nope", hasTools: false)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Additional_templates_and_json_file_are_read()
    {
        Write("chat_template.json", """{"chat_template":"json"}""");
        Assert.Equal("json", ChatTemplateSet.LoadFolder(_folder)!.Select(null, hasTools: false).Source);
        Write("chat_template.jinja", "main");
        Write("additional_chat_templates/tool_use.jinja", "tools");
        ChatTemplateSet set = ChatTemplateSet.LoadFolder(_folder)!;
        Assert.Equal("main", set.Select(null, hasTools: false).Source);
        Assert.Equal("tools", set.Select(null, hasTools: true).Source);
    }

    [Fact]
    public void Special_tokens_come_as_text_or_as_object()
    {
        Write("tokenizer_config.json", """{"chat_template":"x","bos_token":{"content":"<s>","lstrip":false},"pad_token":null}""");
        Write("special_tokens_map.json", """{"eos_token":"</s>","pad_token":"<pad>"}""");
        ChatTemplateSet set = ChatTemplateSet.LoadFolder(_folder)!;
        Assert.Equal("<s>", set.BosToken);
        Assert.Equal("</s>", set.EosToken);
        Assert.False(set.SpecialTokens.ContainsKey("pad_token"));
    }

    [Fact]
    public void Broken_files_are_named()
    {
        Write("tokenizer_config.json", "{");
        Assert.Contains("tokenizer_config.json", Assert.Throws<InvalidDataException>(() => ChatTemplateSet.LoadFolder(_folder)).Message, StringComparison.Ordinal);
        Write("tokenizer_config.json", """{"chat_template":"{{ 1 + }}"}""");
        Assert.Contains("tokenizer_config.json", Assert.Throws<ChatTemplateException>(() => ChatTemplateSet.LoadFolder(_folder)).Message, StringComparison.Ordinal);
    }

    private void Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
