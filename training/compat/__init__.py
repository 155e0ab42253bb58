"""What Megatron needs in order to run where there is no CUDA device (laptops, CI).

Nothing here is imported on a GPU machine: `training.model.parallel.initialise` calls
`training.compat.cpu.apply` only when `torch.cuda.is_available()` is false.
"""
