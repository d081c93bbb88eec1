"""The project that inner runs of pytest are started in."""

import pytest

from .project import Project


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)
