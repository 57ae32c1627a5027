def jarm_response(*a, **k):
    raise NotImplementedError
