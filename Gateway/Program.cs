using Fastgen.Gateway;

GatewayApplication.Build(args).Run();
