using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fastgen.ServiceDefaults.Redis;
using Microsoft.Extensions.Logging;

namespace Fastgen.Services.Tests.Redis;

public sealed class RedisSecurityTests
{
    private const string Password = "hunter2-correct-horse";

    [Fact]
    public async Task Login_by_password_by_user_with_name_and_database()
    {
        await using RedisServer server = await RedisServer.StartAsync("--requirepass", Password);
        await using var redis = new RedisClient(RedisOptions.Parse($"127.0.0.1:{server.Port},password={Password},defaultDatabase=3,name=gateway-1"));
        await redis.SetAsync("k", "v");
        RespValue me = await redis.ExecuteAsync("CLIENT", "INFO");
        Assert.Contains("db=3", me.AsString()!, StringComparison.Ordinal);
        Assert.Contains("name=gateway-1", me.AsString()!, StringComparison.Ordinal);
        Assert.Contains("resp=3", me.AsString()!, StringComparison.Ordinal);

        await redis.ExecuteAsync("ACL", "SETUSER", "app", "on", ">other@pass", "+@all", "~*");
        await using var app = new RedisClient(RedisOptions.Parse($"redis://app:other%40pass@127.0.0.1:{server.Port}/3"));
        Assert.Equal("v", await app.GetAsync("k"));
        Assert.Equal("app", (await app.ExecuteAsync("ACL", "WHOAMI")).AsString());

        await redis.ExecuteAsync("ACL", "SETUSER", "open", "on", "nopass", "+@all", "~*");
        await using var open = new RedisClient(server.Options with { User = "open" });
        Assert.Equal("open", (await open.ExecuteAsync("ACL", "WHOAMI")).AsString());
    }

    [Theory]
    [InlineData("wrong-secret-1")]
    [InlineData(null)]
    public async Task A_wrong_password_fails_at_once_and_is_printed_nowhere(string? password)
    {
        await using RedisServer server = await RedisServer.StartAsync("--requirepass", Password);
        var log = new List<string>();
        await using var redis = new RedisClient(server.Options with { Password = password, CommandTimeout = 4 * Eventually.Limit }, new ListLogger(log));
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < 3; i++)
        {
            RedisConnectionException error = await Assert.ThrowsAsync<RedisConnectionException>(() => redis.SetAsync("private-key", "private-value").AsTask());
            Assert.True(error.IsRefusal);
            Assert.Contains("user and password", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("secret", error.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain("private", error.ToString(), StringComparison.Ordinal);
        }

        Assert.True(watch.Elapsed < Eventually.Limit);
        lock (log)
        {
            Assert.Contains(log, line => line.Contains("refused the login", StringComparison.Ordinal));
            Assert.DoesNotContain(log, line => line.Contains("secret", StringComparison.Ordinal));
        }

        // Once the server's password is what we have, calls go through without a restart.
        if (password is not null)
        {
            await using var admin = new RedisClient(server.Options with { Password = Password });
            await admin.ExecuteAsync("CONFIG", "SET", "requirepass", password);
            Assert.True(await RedisFaultTests.EventuallyAsync(() => redis.SetAsync("k", "v").AsTask()));
        }
    }

    [Fact]
    public async Task Tls_with_the_right_certificate_works_and_anything_else_is_refused()
    {
        using X509Certificate2 certificate = MakeCertificate("redis.test");
        await using RedisServer server = await StartTlsAsync(certificate);
        RedisOptions trusting = server.Options with
        {
            Ssl = true,
            SslHost = "redis.test",
            CommandTimeout = 4 * Eventually.Limit,
            ConnectTimeout = Eventually.Limit,
            CertificateValidation = (_, presented, _, _) => presented!.GetCertHashString(HashAlgorithmName.SHA256) == certificate.GetCertHashString(HashAlgorithmName.SHA256),
        };
        await using var redis = new RedisClient(trusting);
        Task<RespValue>[] calls = Enumerable.Range(0, 2000).Select(i => redis.ExecuteAsync("ECHO", i).AsTask()).ToArray();
        for (int i = 0; i < calls.Length; i++)
        {
            Assert.Equal(i, (await calls[i]).AsInt64());
        }

        byte[] large = RandomNumberGenerator.GetBytes(1_000_000);
        await redis.SetAsync("large", large);
        Assert.Equal(large, (await redis.ExecuteAsync("GET", "large")).AsBytes().ToArray());

        // The system does not trust a certificate that signed itself.
        await using var untrusting = new RedisClient(trusting with { CertificateValidation = null });
        var watch = Stopwatch.StartNew();
        RedisConnectionException error = await Assert.ThrowsAsync<RedisConnectionException>(() => untrusting.PingAsync());
        Assert.True(error.IsRefusal);
        Assert.Contains("certificate", error.Message, StringComparison.Ordinal);
        Assert.True(watch.Elapsed < Eventually.Limit);

        // Plain text to a TLS port.
        await using var plain = new RedisClient(server.Options with { CommandTimeout = TimeSpan.FromMilliseconds(700) });
        Assert.IsAssignableFrom<RedisException>(await Record.ExceptionAsync(() => plain.PingAsync()));

        await server.KillAsync();
        await server.StartAgainAsync();
        Assert.Equal("1", (await RedisFaultTests.EventuallyAsync(() => redis.ExecuteAsync("ECHO", "1").AsTask())).AsString());
    }

    [Fact]
    public async Task Tls_to_a_plain_port_is_explained()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options with { Ssl = true, FailFastWhileDisconnected = true, ConnectTimeout = TimeSpan.FromSeconds(2), CommandTimeout = Eventually.Limit });
        RedisConnectionException error = await Assert.ThrowsAsync<RedisConnectionException>(() => redis.PingAsync());
        Assert.True(error.Message.Contains("TLS", StringComparison.Ordinal) || error.Message.Contains("ssl=true", StringComparison.Ordinal), error.Message);
    }

    private static async Task<RedisServer> StartTlsAsync(X509Certificate2 certificate)
    {
        RedisServer server = RedisServer.Create(true, "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no");
        await File.WriteAllTextAsync(Path.Combine(server.Folder, "cert.pem"), certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(server.Folder, "key.pem"), certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem());
        await server.StartAgainAsync();
        return server;
    }

    private static X509Certificate2 MakeCertificate(string host)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private sealed class ListLogger(List<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (lines)
            {
                lines.Add($"{formatter(state, exception)} {exception}");
            }
        }
    }
}
