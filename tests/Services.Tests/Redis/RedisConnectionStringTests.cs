using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

public sealed class RedisConnectionStringTests
{
    [Fact]
    public void The_form_that_Aspire_injects()
    {
        RedisOptions options = RedisOptions.Parse("localhost:40010,password=Ebg=Zq;Q");
        Assert.Equal(("localhost", 40010, "Ebg=Zq;Q", false, 0), (options.Host, options.Port, options.Password, options.Ssl, options.Database));
        Assert.Null(options.User);
    }

    [Fact]
    public void Every_option_that_counts_is_read_and_the_others_are_accepted()
    {
        RedisOptions options = RedisOptions.Parse(" cache.example.net , user=app, PASSWORD=p, ssl=True, sslHost=other, defaultDatabase=3, connectTimeout=1500, asyncTimeout=700, name=gw, abortConnect=false, keepAlive=60");
        Assert.Equal(
            new RedisOptions { Host = "cache.example.net", Port = 6380, User = "app", Password = "p", Ssl = true, SslHost = "other", Database = 3, ConnectTimeout = TimeSpan.FromMilliseconds(1500), CommandTimeout = TimeSpan.FromMilliseconds(700), ClientName = "gw", Limits = options.Limits },
            options);
    }

    [Theory]
    [InlineData("redis://user:p%40ss%2C@host:7000/2", "host", 7000, "user", "p@ss,", 2, false)]
    [InlineData("redis://:EbgZ@localhost:40010", "localhost", 40010, null, "EbgZ", 0, false)]
    [InlineData("rediss://host", "host", 6380, null, null, 0, true)]
    [InlineData("redis://[::1]:7001/", "::1", 7001, null, null, 0, false)]
    public void Uris(string text, string host, int port, string? user, string? password, int database, bool ssl)
    {
        RedisOptions options = RedisOptions.Parse(text);
        Assert.Equal((host, port, user, password, database, ssl), (options.Host.Trim('[', ']'), options.Port, options.User, options.Password, options.Database, options.Ssl));
    }

    [Theory]
    [InlineData("[::1]:7002", "::1", 7002)]
    [InlineData("::1", "::1", 6379)]
    [InlineData("[::1]", "::1", 6379)]
    [InlineData("10.0.0.1", "10.0.0.1", 6379)]
    public void Endpoints(string text, string host, int port)
    {
        RedisOptions options = RedisOptions.Parse(text);
        Assert.Equal((host, port), (options.Host, options.Port));
    }

    [Theory]
    [InlineData("")]
    [InlineData("password=hunter2")]
    [InlineData("host:99999,password=hunter2")]
    [InlineData("host:1,password=hunter2,hunter2")]
    [InlineData("host:1,password=a,hunter2=b")]
    [InlineData("host:1,ssl=maybe,password=hunter2")]
    [InlineData("host:1,connectTimeout=-1,password=hunter2")]
    [InlineData("redis://u:hunter2@:99999999/")]
    [InlineData("redis://u:hunter2@host:1/abc")]
    [InlineData(":6379")]
    public void What_is_wrong_is_named_without_the_password(string text)
    {
        FormatException error = Assert.Throws<FormatException>(() => RedisOptions.Parse(text));
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("Redis", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_never_print_the_password()
    {
        string printed = RedisOptions.Parse("redis://joe:hunter2@h:1/4").ToString();
        Assert.Equal("redis://h:1/4", printed);
    }
}
