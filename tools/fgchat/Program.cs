using Fastgen.Tools.FgChat;

return await ChatCommand.RunAsync(args);
