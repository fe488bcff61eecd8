using Fastgen.InferenceWorker;

WorkerApplication.Build(args).Run();
