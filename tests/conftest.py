from hypothesis import settings

# The same examples in every run, however slow the machine: a failure is the fault of the change that it appears with.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
