using Fastgen.Tools.FgServe;

return await ServeCommand.RunAsync(args);
