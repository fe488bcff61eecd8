// Every test here starts processes that want all cores; side by side they would only time each other out.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
