"""The errors a user can meet.

QueryproofError         message names the cause and the remedy; the command line prints it and exits with 2
├── SourceError         a journal, .sql file or pg_stat_statements cannot be read
├── ServerError         no PostgreSQL can be started or reached, or rights are missing
├── StatementError      one statement cannot be parsed, guarded or explained
└── OutputError         a report cannot be written
"""


class QueryproofError(Exception):
    """Base of all errors queryproof raises on purpose; `str()` is fit to be shown to a user as it is."""


class SourceError(QueryproofError):
    """A source of queries cannot be read."""


class ServerError(QueryproofError):
    """PostgreSQL cannot be found, started, reached, or used with the rights at hand."""


class StatementError(QueryproofError):
    """One statement is refused or fails; the rest of the workload goes on."""


class OutputError(QueryproofError):
    """A report cannot be written where it was asked to be."""
