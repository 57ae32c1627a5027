def open_request_object(*a, **k):
    raise NotImplementedError
