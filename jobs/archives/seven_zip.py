def expand_7z(file, limits, beat):
    raise NotImplementedError
    yield
