"""Candidates that must never serve, each broken in one way."""

import versions

IN_CLASSIFY = """
_unbroken = answer_classify


def answer_classify(*given):
    {}
    return _unbroken(*given)
"""
CODE = {
    "it does not start": (
        "gunicorn.conf.py", "raise RuntimeError('broken on purpose')\n", "does not start"),
    "it never gets ready": (
        "gunicorn.conf.py", "__import__('time').sleep(3600)\n", "The candidate"),
    "it cannot predict": (
        "classifier/serving/routes.py", IN_CLASSIFY.format("raise ValueError"),
        "POST /v1/classify answered 500"),
    "it is too slow": (
        "classifier/serving/routes.py", IN_CLASSIFY.format("__import__('time').sleep(0.2)"),
        "golden texts took"),
    "it hangs": (
        "classifier/serving/routes.py", IN_CLASSIFY.format("__import__('time').sleep(3600)"),
        "POST /v1/classify got no whole answer in time"),
}  # fmt: skip
MODEL = {
    "it gives a wrong label": (versions.mislabel_a_golden_text, "got another label"),
    "its score drifted": (versions.drift_a_golden_score, "got a probability more than"),
    "it has another vocabulary": (versions.exchange_the_vocabulary, "golden text"),
}
KINDS = [*CODE, *MODEL]


def candidate(kind, service, bundle, folder):
    """Make one below `folder`; the variables that release it, and the cause that must be named."""
    if kind in MODEL:
        change, cause = MODEL[kind]
        made = versions.changed_bundle(bundle, folder / "bundle", change)
        return {"release_bundle_dir": str(made)}, cause
    name, appended, cause = CODE[kind]
    made = versions.changed_service(service, folder / "service", name, appended)
    return {"release_service_dir": str(made)}, cause
